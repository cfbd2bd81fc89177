/** Whoever reads a log, a row or a dead letter learns why a job failed, where, and whose it was; nobody reads its payload there. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLog } from "../process/log.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { probe } from "../testing/probe-engine.ts";
import { HEADERS } from "../wire/headers.ts";

const SECRET = "payload-hunter2";
const APP = "tl-plane/web ñ";

let fleet: TestFleet;
const lines: string[] = [];

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
  const log = createLog({}, "info", { write: (line) => void lines.push(line) });
  await fleet.start(probe, {}, { log });
});
afterAll(() => fleet?.close());

const run = (input: unknown, properties = {}) =>
  fleet.publish("probe", "run", input, { appId: APP, ...properties });
const lineOf = (id: string, msg: string) =>
  fleet.until(`the line "${msg}" of ${id}`, () =>
    lines
      .map((line) => JSON.parse(line))
      .find((entry) => entry.jobId === id && entry.msg.startsWith(msg)),
  );
const letterOf = (id: string) =>
  fleet.until(`the dead letter of ${id}`, async () =>
    (await fleet.deadLetters("probe")).find((letter) => letter.id === id),
  );

describe.each([
  {
    what: "an input that breaks its schema",
    input: { value: 5, secret: SECRET },
    line: {
      level: "warn",
      code: "invalid_input",
      reason: "the input of probe.run breaks its schema",
      details: [{ path: "value", message: "Invalid input: expected string, received number" }],
    },
    headers: {
      [HEADERS.error]: "the input of probe.run breaks its schema",
      [HEADERS.errorDetails]: "value: Invalid input: expected string, received number",
    },
  },
  {
    what: "a bad envelope",
    input: { value: SECRET },
    properties: { contentType: "text/plain" },
    line: {
      level: "warn",
      code: "invalid_input",
      reason: expect.stringContaining("content_type"),
      details: [{ path: "content_type", message: expect.any(String) }],
    },
    // Its message says it already.
    headers: { [HEADERS.errorDetails]: "content_type" },
  },
  {
    what: "a number that is none",
    properties: { body: Buffer.from('{"value":"x","n":12345678901234567891}') },
    line: {
      code: "invalid_input",
      reason: expect.not.stringContaining("1234567890"),
      details: [{ path: "n", message: expect.any(String) }],
    },
    headers: { [HEADERS.errorDetails]: "n" },
  },
  {
    what: "an output that breaks its schema",
    input: { do: "bad-output", value: SECRET },
    line: {
      level: "error",
      code: "invalid_output",
      reason: "what the handler returned breaks its schema: a bug of the engine",
      details: [{ path: "value", message: "Invalid input: expected string, received number" }],
    },
    headers: { [HEADERS.errorDetails]: expect.stringContaining("value: Invalid input") },
  },
  {
    what: "a rejection",
    input: { do: "reject", value: SECRET },
    line: {
      level: "warn",
      code: "rejected",
      reason: "told to",
      details: [{ path: "do", message: "reject" }],
    },
    headers: { [HEADERS.error]: "told to", [HEADERS.errorDetails]: "do: reject" },
  },
  {
    what: "a rejection with a password",
    input: { do: "secret" },
    line: { code: "rejected", reason: "could not reach amqp://***@host/" },
    headers: { [HEADERS.error]: "could not reach amqp://***@host/" },
  },
])("$what", ({ input, properties, line, headers }) => {
  test("is told with its reason and path in the log and on the dead letter", async () => {
    const id = await run(input, properties);
    await fleet.reply(id);
    const told = await lineOf(id, "a job ");
    expect(told).toMatchObject({
      ...line,
      appId: APP,
      type: "probe.run.v1",
      publisher: (await fleet.rows(id))[0]?.publisher,
    });
    const letter = await letterOf(id);
    expect(letter.headers).toMatchObject({
      ...headers,
      [HEADERS.endedAt]: expect.closeTo(Date.now(), -5),
    });
    expect(letter.properties.appId).toBe(APP);
    expect(await fleet.rows(id)).toMatchObject([{ app_id: APP }]);
    expect(lines.filter((text) => text.includes(id))).toHaveLength(1);
  });
});

test("another input under an id that was used is told, too", async () => {
  const id = await run({ value: "one" });
  await fleet.reply(id);
  await run({ value: SECRET }, { messageId: id, correlationId: id });
  expect(await lineOf(id, "a job was refused")).toMatchObject({ code: "idempotency_conflict" });
});

test("a job keeps its program's name over its retries, into the row and the letter", async () => {
  const once = await run({ failures: 1, value: SECRET });
  const last = await run({ failures: 9, value: SECRET });
  expect(await lineOf(once, "an attempt failed")).toMatchObject({ appId: APP, attempt: 1 });
  expect(await lineOf(last, "the last attempt failed")).toMatchObject({ appId: APP, attempt: 3 });
  expect((await fleet.reply(once)).properties.appId).toBe("tl-engine");
  expect(await fleet.rows(once)).toMatchObject([{ status: "succeeded", attempt: 2, app_id: APP }]);
  expect(await fleet.rows(last)).toMatchObject([{ status: "failed", attempt: 3, app_id: APP }]);
  expect((await letterOf(last)).properties.appId).toBe(APP);
});

test("no program's name stays none, over a retry as well; what can't be kept is none", async () => {
  for (const appId of [undefined, "a\u0000b", "c1\u009b"]) {
    const id = await run({ failures: 1 }, { appId });
    expect((await fleet.reply(id)).reply.status).toBe("succeeded");
    expect(await fleet.rows(id)).toMatchObject([{ attempt: 2, app_id: null }]);
  }
});

test("no line has anything of a payload", () => {
  expect(lines.length).toBeGreaterThan(5);
  expect(lines.join("")).not.toContain(SECRET);
});
