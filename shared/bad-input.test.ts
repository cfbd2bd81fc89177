/** Bad input for a job: one closed error code, one row where there is an id, one dead letter, and the next good job works. */
import type { Options } from "amqplib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestFleet, type TestFleet } from "./testing/fleet.ts";
import { picky } from "./testing/picky-engine.ts";
import { PROBE_LEDGER, probe } from "./testing/probe-engine.ts";
import type { ERROR_CODES } from "./wire/error-codes.ts";
import type { RunningWorker } from "./worker.ts";

let fleet: TestFleet;
let worker: RunningWorker;

beforeAll(async () => {
  fleet = await openTestFleet([probe, picky]);
  await fleet.pool.query(PROBE_LEDGER);
  worker = await fleet.start(probe);
});
afterAll(() => fleet?.close());

interface Case {
  name: string;
  code: keyof typeof ERROR_CODES;
  properties?: Options.Publish;
  body?: Buffer | string;
  /** Where the details point. */
  path?: string;
  /** No reply can be expected: there is nobody we may tell. */
  silent?: true;
  /** No row can exist: there is no usable id. */
  rowless?: true;
}

const headers = (name: string, value: unknown) => ({ headers: { [name]: value } });
const ago = (ms: number) => Date.now() - ms;

const envelopes: Case[] = [
  {
    name: "no message id",
    code: "invalid_input",
    properties: { messageId: undefined },
    path: "message_id",
    rowless: true,
  },
  {
    name: "an id of 129 characters",
    code: "invalid_input",
    properties: { messageId: "x".repeat(129) },
    path: "message_id",
    rowless: true,
  },
  {
    name: "the id .",
    code: "invalid_input",
    properties: { messageId: "." },
    path: "message_id",
    rowless: true,
  },
  {
    name: "the id ..",
    code: "invalid_input",
    properties: { messageId: ".." },
    path: "message_id",
    rowless: true,
  },
  {
    name: "a newline in the id",
    code: "invalid_input",
    properties: { messageId: "a\nb" },
    path: "message_id",
    rowless: true,
  },
  { name: "no type", code: "invalid_input", properties: { type: undefined }, path: "type" },
  {
    name: "a type of another engine",
    code: "invalid_input",
    properties: { type: "other.run.v1" },
    path: "type",
  },
  {
    name: "a type that is no type",
    code: "invalid_input",
    properties: { type: "run" },
    path: "type",
  },
  {
    name: "an unknown action",
    code: "unknown_action",
    properties: { type: "probe.walk.v1" },
    path: "type",
  },
  {
    name: "an action named constructor",
    code: "unknown_action",
    properties: { type: "probe.constructor.v1" },
    path: "type",
  },
  {
    name: "version 999",
    code: "unknown_version",
    properties: { type: "probe.run.v999" },
    path: "type",
  },
  {
    name: "no content type",
    code: "invalid_input",
    properties: { contentType: undefined },
    path: "content_type",
  },
  {
    name: "text/plain",
    code: "invalid_input",
    properties: { contentType: "text/plain" },
    path: "content_type",
  },
  {
    name: "charset utf-16",
    code: "invalid_input",
    properties: { contentType: "application/json; charset=utf-16" },
    path: "content_type",
  },
  {
    name: "gzip encoding",
    code: "invalid_input",
    properties: { contentEncoding: "gzip" },
    path: "content_encoding",
  },
  {
    name: "br encoding",
    code: "invalid_input",
    properties: { contentEncoding: "br" },
    path: "content_encoding",
  },
  {
    name: "reply-to the engine's own queue",
    code: "invalid_input",
    properties: { replyTo: "OWN.probe" },
    path: "reply_to",
    silent: true,
  },
  {
    name: "reply-to under our prefix",
    code: "invalid_input",
    properties: { replyTo: "OWN.x.replies" },
    path: "reply_to",
    silent: true,
  },
  {
    name: "reply-to of 255 bytes",
    code: "invalid_input",
    properties: { replyTo: "r".repeat(255) },
    path: "reply_to",
    silent: true,
  },
  { name: "CC", code: "invalid_input", properties: { CC: "somewhere" }, path: "headers" },
  {
    name: "a redirect of dead letters",
    code: "invalid_input",
    properties: headers("x-dead-letter-exchange", "amq.fanout"),
    path: "headers",
  },
  {
    name: "x-attempt -1",
    code: "invalid_input",
    properties: headers("x-attempt", -1),
    path: "headers.x-attempt",
  },
  {
    name: "x-attempt 1e9",
    code: "invalid_input",
    properties: headers("x-attempt", 1e9),
    path: "headers.x-attempt",
  },
  {
    name: "x-attempt NaN",
    code: "invalid_input",
    properties: headers("x-attempt", "NaN"),
    path: "headers.x-attempt",
  },
  {
    name: "x-attempt a table",
    code: "invalid_input",
    properties: headers("x-attempt", { a: 1 }),
    path: "headers.x-attempt",
  },
  {
    name: "x-crashes a text",
    code: "invalid_input",
    properties: headers("x-crashes", "many"),
    path: "headers.x-crashes",
  },
  {
    name: "x-replay a decimal",
    code: "invalid_input",
    properties: headers("x-replay", 1.5),
    path: "headers.x-replay",
  },
  { name: "x-deadline past", code: "expired", properties: headers("x-deadline", ago(60_000)) },
  {
    name: "x-deadline a string",
    code: "invalid_input",
    properties: headers("x-deadline", "tomorrow"),
    path: "headers.x-deadline",
  },
  {
    name: "x-deadline an array",
    code: "invalid_input",
    properties: headers("x-deadline", [1]),
    path: "headers.x-deadline",
  },
  { name: "a forged x-crashes", code: "quarantined", properties: headers("x-crashes", 900) },
  {
    name: "x-deadline in seconds",
    code: "invalid_input",
    properties: headers("x-deadline", Math.floor(Date.now() / 1_000)),
    path: "headers.x-deadline",
  },
  {
    name: "x-deadline past all dates",
    code: "invalid_input",
    properties: headers("x-deadline", 8_640_000_000_000_001),
    path: "headers.x-deadline",
  },
  {
    name: "timestamp in milliseconds",
    code: "invalid_input",
    properties: { timestamp: Date.now() },
    path: "timestamp",
  },
  {
    name: "a type so long that its reply's would not fit",
    code: "invalid_input",
    properties: { type: `probe.${"a".repeat(245)}.v1` },
    path: "type",
  },
  { name: "timestamp 0", code: "expired", properties: { timestamp: 0 }, path: "timestamp" },
];

const JSON_START = '{"value":"';
const bodies: Case[] = [
  { name: "empty", code: "invalid_input", body: "" },
  { name: "null", code: "invalid_input", body: "null" },
  { name: "an array", code: "invalid_input", body: "[]" },
  { name: "truncated", code: "invalid_input", body: '{"value":"a' },
  { name: "trailing garbage", code: "invalid_input", body: '{"value":"a"}}' },
  { name: "a byte order mark", code: "invalid_input", body: '\ufeff{"value":"a"}' },
  { name: "invalid UTF-8", code: "invalid_input", body: Buffer.from([0x7b, 0xff, 0x7d]) },
  {
    name: "100,000 levels deep",
    code: "invalid_input",
    body: "[".repeat(100_000) + "]".repeat(100_000),
  },
  {
    name: "too many keys",
    code: "payload_too_large",
    body: `{${Array.from({ length: 200_000 }, (_, i) => `"k${i}":1`).join(",")}}`,
  },
  { name: "a key twice", code: "invalid_input", body: '{"value":"a","value":"b"}' },
  {
    name: "__proto__",
    code: "invalid_input",
    body: '{"value":"a","__proto__":{"x":1}}',
    path: "__proto__",
  },
  {
    name: "constructor.prototype",
    code: "invalid_input",
    body: '{"constructor":{"prototype":{"x":1}}}',
    path: "prototype",
  },
  { name: "NaN", code: "invalid_input", body: '{"waitMs":NaN}' },
  { name: "1e400", code: "invalid_input", body: '{"waitMs":1e400}', path: "waitMs" },
  {
    name: "2^53+1 with a point",
    code: "invalid_input",
    body: '{"waitMs":9007199254740993.0}',
    path: "waitMs",
  },
  {
    name: "keys and values that no Postgres text holds",
    code: "invalid_input",
    body: '{"waitMs":"\\u0000\\ud800","value":{"\\u0000\\ud800":1}}',
    path: "waitMs",
  },
  { name: "2^53+1", code: "invalid_input", body: '{"waitMs":9007199254740993}', path: "waitMs" },
  {
    name: "a 10 MiB string",
    code: "payload_too_large",
    body: `${JSON_START}${"a".repeat(10 * 1024 * 1024)}"}`,
  },
  {
    name: "a wrong type, named by its path",
    code: "invalid_input",
    body: '{"waitMs":"soon"}',
    path: "waitMs",
  },
];

/** Odd, yet nothing is wrong with it. */
const harmless: Case[] = [
  {
    name: "x-deadline far away",
    code: "rejected",
    properties: headers("x-deadline", 8_640_000_000_000_000),
  },
  { name: "junk as traceparent", code: "rejected", properties: headers("traceparent", "junk") },
  {
    name: "an object as traceparent",
    code: "rejected",
    properties: headers("traceparent", { a: 1 }),
  },
  {
    name: "a forged x-death",
    code: "rejected",
    properties: headers("x-death", [{ queue: "OWN.delay.1s", reason: "expired", count: 1 }]),
  },
  {
    name: "a forged x-delivery-count",
    code: "rejected",
    properties: headers("x-delivery-count", 5),
  },
  {
    name: "100 KiB of headers",
    code: "rejected",
    properties: { headers: { big: "x".repeat(50_000), more: [1.5, { a: [true, null] }] } },
  },
  {
    name: "a charset in quotes, and another parameter",
    code: "rejected",
    properties: { contentType: 'application/json; charset="utf-8"; version=1' },
  },
  { name: "priority 255", code: "rejected", properties: { priority: 255 } },
  { name: "unknown keys", code: "rejected", body: '{"do":"reject","later":{"constructor":1}}' },
  {
    name: "the id constructor",
    code: "rejected",
    properties: { messageId: "constructor-", correlationId: "constructor-" },
  },
  {
    name: "bidi and zero-width characters",
    code: "rejected",
    body: '{"do":"reject","value":"\u202e\u200b"}',
  },
  {
    name: "an escaped NUL and a lone surrogate",
    code: "rejected",
    body: '{"do":"reject","value":"\\u0000\\ud800"}',
  },
  { name: "minus zero", code: "rejected", body: '{"do":"reject","waitMs":-0}' },
];

async function send({ properties = {}, body }: Case): Promise<string> {
  const correlationId = properties.correlationId ?? fleet.newId();
  const own = (text: string) => text.replace("OWN", fleet.names.prefix);
  const { replyTo } = properties;
  const id = "messageId" in properties ? properties.messageId : fleet.newId();
  await fleet.publish("probe", "run", { do: "reject" }, {
    ...properties,
    correlationId,
    messageId: id,
    ...(replyTo === undefined ? {} : { replyTo: own(replyTo) }),
    ...(body === undefined ? {} : { body: Buffer.isBuffer(body) ? body : Buffer.from(body) }),
  } as Options.Publish & { body?: Buffer });
  return correlationId;
}

/** What the runtime's tests call a good job: proof that nothing is stuck. */
async function goodJob(): Promise<void> {
  const id = await fleet.publish("probe", "run", { value: "good" });
  expect((await fleet.reply(id)).reply.status).toBe("succeeded");
}

describe.each([
  ["envelope", envelopes],
  ["body", bodies],
  ["harmless", harmless],
])("%s", (_, cases) => {
  test.each(cases)("$name", async (one) => {
    const correlationId = await send(one);
    const [dead] = await fleet.until("its dead letter", async () => {
      const letters = await fleet.deadLetters("probe");
      return letters.length > 0 ? letters : undefined;
    });
    expect(dead?.headers["x-error-code"]).toBe(one.code);
    if (one.silent === undefined) {
      const { reply } = await fleet.reply(correlationId);
      const error = reply.status === "failed" ? reply.error : undefined;
      expect(error?.code).toBe(one.code);
      if (one.path !== undefined)
        expect(error?.details?.map(({ path }) => path)).toContain(one.path);
    }
    if (one.rowless === undefined) {
      expect(await fleet.rows(String(dead?.id))).toMatchObject([
        { status: "failed", code: one.code },
      ]);
    }
    await goodJob();
    expect(await fleet.deadLetters("probe")).toHaveLength(0);
    expect(worker.notReady()).toBeUndefined();
  });
});

test("a secret in an error message does not reach the reply", async () => {
  const id = await fleet.publish("probe", "run", { do: "secret" });
  const { text } = await fleet.reply(id);
  expect(text).not.toContain("hunter2");
  await fleet.deadLetters("probe");
});

describe("a schema that fails itself", () => {
  let fussy: RunningWorker;
  beforeAll(async () => {
    fussy = await fleet.start(picky);
  });

  test.each([
    ["throws", "url", "no URL, hunter2", "its schema itself failed on it (TypeError)"],
    ["is asynchronous", "promise", "hunter2", "schemas must be synchronous"],
  ])(
    "and %s: one row, one reply, one dead letter, and the next job works",
    async (_, action, input, why) => {
      const id = await fleet.publish("picky", action, input);
      const { reply, text } = await fleet.reply(id);
      expect(reply).toMatchObject({
        error: { code: "invalid_input", message: expect.stringContaining(why) },
      });
      expect(text).not.toContain("hunter2");
      expect(await fleet.rows(id)).toMatchObject([{ status: "failed", code: "invalid_input" }]);
      const good = await fleet.publish("picky", "url", "http://localhost/");
      expect((await fleet.reply(good)).reply).toMatchObject({ status: "succeeded" });
      const letters = await fleet.deadLetters("picky");
      expect(letters.map(({ id, headers }) => [id, headers["x-error-code"]])).toEqual([
        [id, "invalid_input"],
      ]);
      expect(fleet.replies.filter(({ correlationId }) => correlationId === id)).toHaveLength(1);
      expect(fussy.notReady()).toBeUndefined();
    },
  );
});

test("details that hold keys which no text of Postgres can", async () => {
  const worker = await fleet.start(picky);
  const id = await fleet.publish("picky", "counts", undefined, {
    body: Buffer.from('{"\\u0000\\ud800":"many"}'),
  });
  const { reply } = await fleet.reply(id);
  expect(reply).toMatchObject({ error: { details: [{ path: "\0\ud800" }] } });
  expect(await fleet.rows(id)).toMatchObject([{ status: "failed", code: "invalid_input" }]);
  await fleet.deadLetters("picky");
  await worker.stop();
});

test("everything that is wrong with an envelope is told at once", async () => {
  const id = await fleet.publish(
    "probe",
    "run",
    {},
    {
      contentType: "text/plain",
      type: "probe.walk",
      headers: { "x-attempt": "one", "x-deadline": Math.floor(Date.now() / 1_000) },
    },
  );
  const { reply } = await fleet.reply(id);
  const error = reply.status === "failed" ? reply.error : undefined;
  expect(error?.details?.map(({ path }) => path).sort()).toEqual([
    "content_type",
    "headers.x-attempt",
    "headers.x-deadline",
    "type",
  ]);
  await fleet.deadLetters("probe");
});

test("a Celery message, which has no id, is told so by its dead letter", async () => {
  const properties = {
    messageId: undefined,
    type: undefined,
    replyTo: "6f1c5b0e-0000-3000-8000-000000000000",
    headers: { lang: "py", task: "app.tasks.add", id: "1" },
  };
  await fleet.publish("probe", "run", [[1, 2], {}, {}], properties as unknown as Options.Publish);
  const [dead] = await fleet.until("its dead letter", async () => {
    const letters = await fleet.deadLetters("probe");
    return letters.length > 0 ? letters : undefined;
  });
  const told = String(dead?.headers["x-error"]);
  for (const part of ["this is a Celery message", "message_id", "reply_to", "type must be"])
    expect(told).toContain(part);
});
