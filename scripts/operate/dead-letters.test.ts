/** `make dead-letters` as a person runs it, on letters whose publishers meant that person harm. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
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
  expect(list.trimEnd().split("\n")).toHaveLength(2);
  await fleet.channel.purgeQueue(fleet.names.dead(NAME));
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
  expect(list.trimEnd().split("\n")).toHaveLength(7);
  const replay = await run("replay", { ID: "deep" });
  expect(replay).toContain("replayed=1 left=0");
  const all = await run("replay", { ALL: "1" });
  expect(all).toContain("replayed=4 left=1");
  expect(all).toContain("its message_id is none that a job can have");
});
