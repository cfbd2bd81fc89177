/** `make dead-letters` as a person runs it, on letters whose publishers meant that person harm. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  field,
  long,
  nested,
  publishRaw,
  type RawMessage,
} from "../../shared/client/testing/raw-publish.ts";
import { openTestFleet, type TestFleet } from "../../shared/testing/fleet.ts";
import { loadWorkers } from "../workers.ts";

const SCRIPT = fileURLToPath(new URL("./dead-letters.ts", import.meta.url));
const TITLE = "\u001b]0;x\u0007";
const CSI = "\u001b[2J\u009b31m";
const NAME = "activities";

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await openTestFleet((await loadWorkers()).map(({ definition }) => definition));
});
beforeEach(() => fleet.channel.purgeQueue(fleet.names.dead(NAME)));
afterAll(() => fleet?.close());

const letter = (id: string, some: Partial<RawMessage> = {}): RawMessage => ({
  headers: Buffer.concat([
    field("x-error-code", "S", long(Buffer.from("rejected"))),
    field("x-error", "S", long(Buffer.from("told to"))),
  ]),
  correlationId: Buffer.from(id),
  messageId: Buffer.from(id),
  type: "activities.record.v1",
  body: {},
  ...some,
});

const bury = (...letters: RawMessage[]) =>
  publishRaw(fleet.config.AMQP_URL, "", fleet.names.dead(NAME), letters);

async function run(verb: string, env: Record<string, string>) {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [SCRIPT, verb], {
    env: { ...process.env, ...fleet.env, LOG_LEVEL: "info", NAME, ...env },
  }).catch((failed) => failed as { stdout: string; stderr: string });
  return stdout + stderr;
}

test("what would speak to the terminal is spelt out, in ids, types, codes and errors", async () => {
  await bury(
    letter(`id${TITLE}`, {
      type: `type${CSI}\u202e`,
      headers: Buffer.concat([
        field("x-error-code", "S", long(Buffer.from(`code${TITLE}`))),
        field("x-error", "S", long(Buffer.from(`why${CSI}\nforged: 0${TITLE}`))),
      ]),
    }),
  );
  const list = await run("list", {});
  const replay = await run("replay", { ID: `none${CSI}` });
  expect(list + replay).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  for (const shown of [
    "id\\u001b]0;x\\u0007",
    "type\\u001b[2J\\u009b31m\\u202e",
    "code\\u001b]0;x\\u0007",
    "why\\u001b[2J\\u009b31m forged: 0\\u001b]0;x\\u0007",
  ])
    expect(list).toContain(shown);
  expect(replay).toContain("the id none\\u001b[2J\\u009b31m");
  // Groups, letters, and no line of theirs.
  expect(list.match(/forged: 0/g)).toHaveLength(1);
  expect(list).not.toMatch(/^forged/m);
});

test("a broker that is not there is named in one line", async () => {
  const told = await run("list", { AMQP_URL: "amqp://127.0.0.1:1" });
  expect(told).toMatch(/^the broker at 127\.0\.0\.1:1 \(AMQP_URL\) can't be reached.*\n$/);
});

test("a letter that can't be decoded is listed and replayed by what it says beside its headers, like those around it", async () => {
  const odd = Buffer.alloc(100, 0xff);
  await bury(
    letter("before"),
    letter("deep", { headers: nested(5_000) }),
    letter("large", { headers: field("x", "S", long(Buffer.alloc(130_900, "x"))) }),
    letter("bytes", { correlationId: odd, contentType: odd, replyTo: odd, type: odd }),
    letter("x", { messageId: odd }),
    letter("after"),
  );
  const list = await run("list", {});
  for (const id of ["before", "deep", "large", "bytes", "after"])
    expect(list).toMatch(new RegExp(`^  ${id} `, "m"));
  expect(list).toMatch(/^ {2}deep .* can't be decoded/m);
  const replay = await run("replay", { ID: "deep" });
  expect(replay).toContain("replayed=1 left=0");
  const all = await run("replay", { ALL: "1" });
  expect(all).toContain("replayed=4 left=1");
  expect(all).toContain("its message_id is none that a job can have");
});

test("letters are shown by default below their groups, with reason and path; an empty LIMIT is none given", async () => {
  const headers = Buffer.concat([
    field("x-error-code", "S", long(Buffer.from("invalid_input"))),
    field("x-error", "S", long(Buffer.from("the input breaks its schema".padEnd(300, "!")))),
    field("x-error-details", "S", long(Buffer.from("requested.priority: expected string"))),
  ]);
  await bury(letter("one", { headers }), letter("two", { headers }), letter("three"));
  for (const LIMIT of ["", "20"]) {
    const list = await run("list", { LIMIT });
    expect(list).toMatch(/^activities: 3$/m);
    expect(list).toMatch(/^ {2}invalid_input +2 .* one$/m);
    expect(list).toMatch(/^ {2}rejected +1 .* three$/m);
    expect(list).toMatch(/^ {2}two .*the input breaks.* → requested\.priority: expected string$/m);
  }
  const groups = await run("list", { LIMIT: "0" });
  expect(groups).toMatch(/^ {2}invalid_input +2/m);
  expect(groups).not.toMatch(/^ {2}two /m);
  expect(await run("list", { LIMIT: "1" })).toMatch(/… and 2 more \(LIMIT=n\)/);
});

test("nothing is replayed but what was asked for, and a dry run only counts", async () => {
  const headers = field("x-error-code", "S", long(Buffer.from("invalid_input")));
  await bury(letter("one", { headers }), letter("two", { headers }), letter("three"));
  expect(await run("replay", {})).toMatch(/^Say which letters: ID=job-id, CODE=/);
  expect(await run("replay", { ID: "one", ALL: "1" })).toMatch(/^ID is one letter/);
  expect(await run("replay", { CODE: "nope" })).toMatch(/^CODE=nope is no error code/);
  expect(await run("replay", { SINCE: "soon" })).toMatch(/^SINCE=soon must be/);
  const dry = await run("replay", { ALL: "1", DRY_RUN: "1" });
  expect(dry).toBe("activities: would-replay=3 left=0 (invalid_input 2, rejected 1)\n");
  expect(await run("list", {})).toMatch(/^activities: 3$/m);
  const some = await run("replay", { CODE: "invalid_input", DRY_RUN: "0" });
  expect(some).toBe("activities: replayed=2 left=0 (invalid_input 2)\n");
  expect(await run("replay", { ID: "gone" })).toMatch(/^activities: replayed=0.*\nNo such/);
});

test("jobs for an engine that is not there are listed with the letters, and told of", async () => {
  await publishRaw(fleet.config.AMQP_URL, fleet.names.jobs, "nobody", [letter("lost")]);
  const all = await run("list", { NAME: "" });
  expect(all).toMatch(/^activities: 0$/m);
  expect(all).toMatch(/^unrouted: 1 for an engine that was not there$/m);
  expect(all).toMatch(/^ {2}nobody +1 /m);
  expect(all).toMatch(
    /None of these engines is there: mend the publisher's routing key, or declare/,
  );
  expect(await run("replay", { NAME: "unrouted", ALL: "1" })).toMatch(
    /^unrouted: replayed=0 left=1\n {2}lost: there is no engine behind "nobody" yet\n$/,
  );
  expect(await run("replay", { NAME: "unrouted", CODE: "rejected" })).toMatch(
    /^CODE means nothing/,
  );
});

test.each([
  ["head -1", "activities: 3\n"],
  // It has gone before there is anything to read.
  ["true", ""],
])("`| %s` ends it without a word", async (reader, read) => {
  await bury(letter("one"), letter("two"), letter("three"));
  const script = `"${process.execPath}" "${SCRIPT}" list | ${reader}`;
  const { stdout, stderr } = await promisify(execFile)("bash", ["-o", "pipefail", "-c", script], {
    // Several engines: it goes on writing after the first line that nobody took.
    env: { ...process.env, ...fleet.env, LOG_LEVEL: "info", NAME: "" },
  });
  expect([stdout, stderr]).toEqual([read, ""]);
});
