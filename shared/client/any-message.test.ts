/** Messages that nobody meant to send: the client outlives each of them and goes on with the next. */
import { randomBytes } from "node:crypto";
import amqplib from "amqplib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { proxyBefore, type UrlProxy } from "../testing/proxy.ts";
import { connect } from "./client.ts";
import type { ConnectOptions } from "./options.ts";
import type { JobReply } from "./replies.ts";
import { ECHO } from "./testing/contract.ts";
import { field, long, nested, publishRaw, type RawMessage } from "./testing/raw-publish.ts";
import { declareTopology, removeTopology } from "./testing/worker.ts";

const amqpUrl = process.env.AMQP_URL ?? "";
const prefix = `a${randomBytes(4).toString("hex")}`;
const replyQueue = `app.${prefix}.replies`;
const attempt = field("x-attempt", "l", Buffer.from([0, 0, 0, 0, 0, 0, 0, 7]));
let proxy: UrlProxy;

beforeAll(async () => {
  await declareTopology(amqpUrl, prefix);
  proxy = await proxyBefore(amqpUrl);
});
afterAll(async () => {
  await proxy?.close();
  await removeTopology(amqpUrl, prefix);
});

const open = (options: Partial<ConnectOptions> = {}) =>
  connect({ amqpUrl: proxy.url, prefix, contract: ECHO, replyQueue, ...options });

const reply = (name: string, some: Partial<RawMessage> = {}): RawMessage => ({
  headers: attempt,
  correlationId: Buffer.from(name),
  messageId: Buffer.from(`echo/${name}/0/succeeded`),
  type: "echo.say.v1.result",
  body: { status: "succeeded", output: { name } },
  ...some,
});

/** What a client's handler gets of them and of one more, and what trouble it tells of. */
async function receive(messages: RawMessage[]) {
  const trouble: string[] = [];
  const replies: JobReply[] = [];
  const { promise: last, resolve } = Promise.withResolvers<void>();
  await using client = await open({ onTrouble: (event) => trouble.push(event) });
  await client.onReply((reply) => {
    replies.push(reply);
    if (reply.id === "last") resolve();
  });
  await publishRaw(amqpUrl, "", replyQueue, [...messages, reply("last")]);
  await last;
  return { replies, trouble };
}

async function left(): Promise<number> {
  const connection = await amqplib.connect(amqpUrl);
  const channel = await connection.createChannel();
  const { messageCount } = await channel.checkQueue(replyQueue);
  await connection.close();
  return messageCount;
}

test("headers of 100 KB, over segments of any size", async () => {
  const large = Buffer.concat([field("large", "S", long(Buffer.alloc(100_000, "x"))), attempt]);
  for (const maxBytes of [100_000, 1_460, 5]) {
    const slice = proxy.apply({ kind: "slice", maxBytes });
    const { replies, trouble } = await receive([reply("large", { headers: large })]);
    slice.remove();
    expect(replies.map(({ id, attempt }) => [id, attempt])).toEqual([
      ["large", 7],
      ["last", 7],
    ]);
    expect(trouble).toEqual([]);
  }
});

test("an events subscription outlives all of them, and tells of what it sets aside", async () => {
  const odd = Buffer.alloc(100, 0xff);
  const queue = `app.${prefix}.events`;
  const trouble: string[] = [];
  const events: string[] = [];
  const { promise: last, resolve } = Promise.withResolvers<void>();
  await using client = await open({ onTrouble: (event) => trouble.push(event) });
  const take = ({ id }: { id: string }) => {
    events.push(id);
    if (id === "last") resolve();
  };
  await client.events("thing.*", take, { queue });
  const slice = proxy.apply({ kind: "slice", maxBytes: 1_460 });
  const large = field("large", "S", long(Buffer.alloc(100_000, "x")));
  const event = (name: string, some: Partial<RawMessage> = {}) =>
    reply(name, { messageId: Buffer.from(name), type: "thing.happened", ...some });
  await publishRaw(amqpUrl, `${prefix}.events`, "thing.happened", [
    event("large", { headers: large }),
    event("deep", { headers: nested(5_000) }),
    event("bytes", { correlationId: odd, replyTo: odd, contentType: odd, type: odd }),
    event("none", { type: "" }),
    event("last"),
  ]);
  await last;
  slice.remove();
  expect(events).toEqual(["large", "deep", "bytes", "last"]);
  expect(trouble).toEqual(["unreadable_message"]);
});

test("headers nested 15,000 deep are stepped over", async () => {
  const headers = Buffer.concat([nested(15_000), attempt]);
  const { replies, trouble } = await receive([reply("deep", { headers })]);
  expect(replies.map(({ id, attempt }) => [id, attempt])).toEqual([
    ["deep", 7],
    ["last", 7],
  ]);
  expect(trouble).toEqual([]);
});

test("a field of an unknown type: the reply arrives, what follows the field is left out", async () => {
  const toxic = proxy.apply({
    kind: "replace",
    find: Buffer.from("oddl"),
    by: Buffer.from("odd?"),
  });
  const headers = Buffer.concat([field("odd", "l", Buffer.alloc(8)), attempt]);
  const { replies, trouble } = await receive([reply("odd", { headers })]);
  toxic.remove();
  expect(replies.map(({ id, attempt }) => [id, attempt])).toEqual([
    ["odd", 0],
    ["last", 7],
  ]);
  expect(trouble).toEqual(["unreadable_headers"]);
});

test("properties that are no UTF-8, and such that are none", async () => {
  const bytes = Buffer.from([0x65, 0x63, 0xff, 0xfe, 0x2f, 0xc3]);
  const { replies, trouble } = await receive([
    reply("bytes", { messageId: bytes, correlationId: bytes, type: "echo" }),
    reply("none", { type: "" }),
  ]);
  expect(replies.map(({ id }) => id)).toEqual(["last"]);
  expect(trouble).toEqual(["unreadable_message", "unreadable_message"]);
  expect(await left()).toBe(0);
});

test("a broken stream ends the connection, and is no more than a lost connection", async () => {
  const end = Buffer.from('cut-here"}\xce', "latin1");
  const toxic = proxy.apply({ kind: "replace", find: end, by: Buffer.from('cut-here"}!') });
  const trouble: string[] = [];
  await using client = await open({
    onTrouble(event) {
      if (trouble.push(event) === 3) toxic.remove(); // Before its fourth delivery.
    },
  });
  const { promise: arrived, resolve } = Promise.withResolvers<void>();
  await client.onReply(() => resolve());
  await publishRaw(amqpUrl, "", replyQueue, [
    reply("broken", { body: { status: "succeeded", output: "", last: "cut-here" } }),
  ]);
  await arrived;
  expect(new Set(trouble)).toContain("connection_lost");
});
