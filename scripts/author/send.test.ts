/** `send` from the shell: one job from a file, many from standard input, and its exit status. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  declareTopology,
  removeTopology,
  type StandIn,
  startStandIn,
} from "../../shared/client/testing/worker.ts";

const amqpUrl = process.env.AMQP_URL ?? "";
const prefix = `t${randomBytes(4).toString("hex")}`;
let worker: StandIn;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "send-"));
  await declareTopology(amqpUrl, prefix, "activities");
  worker = await startStandIn(amqpUrl, prefix, "activities");
});

afterAll(async () => {
  await worker?.close();
  await removeTopology(amqpUrl, prefix, "activities");
  await rm(folder, { recursive: true });
});

async function send(env: Record<string, string>, input = "") {
  const child = spawn(process.execPath, ["scripts/author/send.ts"], {
    env: { ...process.env, ENGINE_PREFIX: prefix, NAME: "activities", ACTION: "record", ...env },
  });
  child.stdin.end(input);
  const closed = new Promise<number | null>((resolve) => child.on("close", resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await closed, lines: stdout.trim().split("\n"), stderr };
}

test("one job from a file: prints its id", async () => {
  const file = join(folder, "job.json");
  await writeFile(file, JSON.stringify({ a: 1 }, null, 2));
  const { code, lines, stderr } = await send({ FILE: file });
  expect(lines).toEqual([expect.stringMatching(/^[\da-f-]{36}$/)]);
  expect(stderr).toMatch(/^send: confirmed=1 failed=0 /m);
  expect(code).toBe(0);
});

test("many from standard input with WAIT: prints id and reply; a bad line fails alone", async () => {
  const jobs = Array.from({ length: 1_000 }, (_, n) => JSON.stringify({ value: n }));
  const { code, lines, stderr } = await send(
    { FILE: "-", WAIT: "1" },
    `${[...jobs, "{bad"].join("\n")}\n`,
  );
  expect(lines).toHaveLength(1_001);
  const replies = lines.map((line) => line.slice(37)).filter((line) => line.startsWith("{"));
  expect(new Set(replies)).toEqual(new Set(jobs));
  expect(stderr).toMatch(/^send: succeeded=1000 failed=1 /m);
  expect(code).toBe(1);
});

test("an example of the engine's in place of a file: it comes as the contract shows it", async () => {
  const { code, lines } = await send({ EXAMPLE: "2", WAIT: "1" });
  const { actions } = JSON.parse(await readFile("docs/contract/activities.json", "utf8"));
  expect(worker.bodies.get(lines[0]?.slice(0, 36) ?? "")).toEqual(actions.record.examples[1].input);
  expect(code).toBe(0);
  const missing = await send({ EXAMPLE: "99" });
  expect(missing.stderr + missing.lines).toContain("EXAMPLE=99: activities.record has");
  expect(missing.code).toBe(1);
  expect((await send({ EXAMPLE: "first" })).code).toBe(2);
});

test("an answer does nothing to the terminal", async () => {
  const value = "\u009b2J\u202e\u2028";
  const { lines } = await send({ FILE: "-", WAIT: "1" }, `${JSON.stringify({ value })}\n`);
  expect(lines.map((line) => line.slice(37))).toEqual(['{"value":"\\u009b2J\\u202e\\u2028"}']);
});

test("a failure names its path; an empty variable is none given", async () => {
  const job = JSON.stringify({ value: 1, answer: "fail" });
  const { code, lines } = await send({ FILE: "-", WAIT: "1", REPLY_EXCHANGE: "" }, job);
  expect(lines).toEqual([
    expect.stringMatching(/ failed rejected: no \(answer: it was told to fail\)$/),
  ]);
  expect(code).toBe(1);
});

test("unknown engine, missing arguments", async () => {
  const unknown = await send({ NAME: "nope", FILE: "-" }, "{}\n");
  expect(unknown.lines[0]).toMatch(/failed unknown_engine: .*activities/);
  expect(unknown.code).toBe(1);
  const missing = await send({ FILE: "" });
  expect(missing.stderr).toMatch(/^usage: make send/);
  expect(missing.code).toBe(2);
});
