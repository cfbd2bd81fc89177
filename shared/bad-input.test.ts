/** Bad input for a job: one closed error code, one row where there is an id, one dead letter, and the next good job works. */
import type { Options } from "amqplib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestFleet, type TestFleet } from "./testing/fleet.ts";
import { PROBE_LEDGER, probe } from "./testing/probe-engine.ts";
import type { ERROR_CODES } from "./wire/error-codes.ts";
import type { RunningWorker } from "./worker.ts";

let fleet: TestFleet;
let worker: RunningWorker;

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
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
