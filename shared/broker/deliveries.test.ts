/** Messages that a consumer can't decode or can't take: each ends by itself, and its neighbours come through. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ConfirmChannel } from "amqplib";
import pino from "pino";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { frameOf, type Rewriter, rewriteBefore } from "../testing/amqp-rewrite.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { probe } from "../testing/probe-engine.ts";
import { outletOf } from "./amqplib-insides.ts";
import { type Consumer, type Delivery, openConsumer } from "./consume.ts";
import { openPublisher } from "./publish.ts";

const BASIC_PUBLISH = 0x003c0028;
const HEADERS = 1 << 13;
const CORRELATION_ID = 1 << 10;
const MESSAGE_ID = 1 << 7;

const MB = 1024 * 1024;

let fleet: TestFleet;
let raw: ConfirmChannel;
let between: Rewriter;
let queue: string;
const consumers: Consumer[] = [];

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
  queue = fleet.names.queue(probe.name);
  raw = await fleet.model.createConfirmChannel();
  between = await rewriteBefore(fleet.config.AMQP_URL, () => ({
    // kombu's unsigned 64 bit number, which some brokers pass on.
    down: (frame) => (frame.includes("kombul") ? replaced(frame, "kombul", "kombuL") : frame),
  }));
});
afterEach(async () => {
  for (const consumer of consumers.splice(0)) await consumer.close();
  await fleet.channel.purgeQueue(queue);
});
afterAll(async () => {
  await raw?.close();
  await between?.close();
  await fleet?.close();
});

function replaced(frame: Buffer, before: string, after: string): Buffer {
  const copy = Buffer.from(frame);
  copy.write(after, frame.indexOf(before), "latin1");
  return copy;
}

async function consume(maxBodyBytes?: number) {
  const deliveries: Delivery[] = [];
  const lines: { msg: string; err?: { message: string } }[] = [];
  const consumer = await openConsumer(
    { ...fleet.config, AMQP_URL: between.url },
    {
      engine: probe.name,
      prefetch: 100,
      ...(maxBodyBytes !== undefined && { maxBodyBytes }),
      onDelivery: (delivery) => void deliveries.push(delivery),
      onStaleAck() {},
      log: pino({ level: "info" }, { write: (line) => lines.push(JSON.parse(line)) }),
    },
  );
  consumers.push(consumer);
  await consumer.start();
  return { deliveries, lines, consumer };
}

const short = (text: string | Buffer) => {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
};
const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** Publishes properties as they are given, already encoded. */
function publishRaw(flags: number, properties: Buffer, body = "{}"): void {
  const outlet = outletOf(raw);
  const method = Buffer.concat([uint32(BASIC_PUBLISH), Buffer.alloc(2), short(""), short(queue)]);
  const header = Buffer.alloc(14);
  header.writeUInt16BE(60, 0);
  header.writeBigUInt64BE(BigInt(body.length), 4);
  header.writeUInt16BE(flags, 12);
  outlet.send(
    Buffer.concat([
      frameOf(1, outlet.channel, Buffer.concat([method, Buffer.alloc(1)])),
      frameOf(2, outlet.channel, Buffer.concat([header, properties])),
      frameOf(3, outlet.channel, Buffer.from(body)),
    ]),
  );
}

/** A table in a table, so many times, with empty names. */
function nested(levels: number): Buffer {
  const bytes = Buffer.alloc(4 + 6 * levels);
  for (let level = 0; level <= levels; level++) {
    bytes.writeUInt32BE(6 * (levels - level), 6 * level);
    if (level < levels) bytes.write("\0F", 6 * level + 4, "latin1");
  }
  return bytes;
}

const good = (id: string) => publishRaw(MESSAGE_ID, short(id));
const ids = (deliveries: Delivery[]) =>
  deliveries.map(({ message }) => message.properties.messageId);

test("headers that can't be decoded: the delivery is handed on with what it says beside them, and ends by an ack like any other", async () => {
  const { deliveries, lines, consumer } = await consume();
  good("before");
  publishRaw(HEADERS | MESSAGE_ID, Buffer.concat([nested(5_000), short("deep")]), "deep");
  const table = Buffer.concat([short("kombu"), Buffer.from("l"), Buffer.alloc(8)]);
  const properties = Buffer.concat([uint32(table.length), table, short("unsigned")]);
  publishRaw(HEADERS | MESSAGE_ID, properties, "unsigned");
  good("after");
  await expect.poll(() => deliveries.length).toBe(4);
  expect(ids(deliveries)).toEqual(["before", "deep", "unsigned", "after"]);
  expect(deliveries.map(({ message }) => message.content.toString())).toEqual([
    "{}",
    "deep",
    "unsigned",
    "{}",
  ]);
  expect(deliveries.map(({ undecodable }) => undecodable?.name)).toEqual([
    undefined,
    "RangeError",
    "TypeError",
    undefined,
  ]);
  expect(lines.map(({ err }) => err?.message)).toEqual([
    expect.stringContaining("call stack"),
    expect.stringContaining('type tag "L"'),
  ]);
  for (const { acks, message } of deliveries) acks.ack(message);
  await consumer.close();
  // A quorum queue reports its figures by a clock of its own.
  const left = async () => (await fleet.channel.checkQueue(queue)).messageCount;
  await expect.poll(left, { timeout: 10_000 }).toBe(0);
});

test("a correlation id that is no UTF-8 is echoed byte for byte", async () => {
  const { deliveries } = await consume();
  const bytes = Buffer.alloc(90, 0xff);
  publishRaw(CORRELATION_ID | MESSAGE_ID, Buffer.concat([short(bytes), short("bytes")]));
  publishRaw(CORRELATION_ID | MESSAGE_ID, Buffer.concat([short("ñ\ufffd"), short("text")]));
  await expect.poll(() => deliveries.length).toBe(2);
  const [first, second] = deliveries.map(({ message }) => message.properties.correlationId);
  expect(first).toEqual(bytes);
  expect(second).toBe("ñ\ufffd");

  const publisher = await openPublisher(fleet.config, "probe", pino({ level: "silent" }));
  const outgoing = { exchange: "", routingKey: queue, body: "", mandatory: true, type: undefined };
  expect(await publisher.publish({ ...outgoing, messageId: "echo", correlationId: first })).toBe(
    "routed",
  );
  await publisher.close();
  await expect.poll(() => deliveries.length).toBe(3);
  expect(deliveries[2]?.message.properties).toMatchObject({
    messageId: "echo",
    correlationId: bytes,
  });
});

test("a body that is too large is not taken in: its size comes in its place", async () => {
  const { deliveries } = await consume(300_000);
  const sizes = [300_001, 10, 1_000_000, 300_000, 0];
  for (const [n, size] of sizes.entries())
    fleet.channel.sendToQueue(queue, Buffer.alloc(size), { messageId: String(n) });
  await expect.poll(() => deliveries.length).toBe(sizes.length);
  expect(ids(deliveries)).toEqual(["0", "1", "2", "3", "4"]);
  expect(deliveries.map(({ message }) => message.content.length)).toEqual([0, 10, 0, 300_000, 0]);
  expect(deliveries.map(({ tooLargeBytes }) => tooLargeBytes)).toEqual([
    300_001,
    undefined,
    1_000_000,
    undefined,
    undefined,
  ]);
});

test("a body of 100 MB does not become the worker's memory", async () => {
  const bytes = 100 * MB;
  fleet.channel.sendToQueue(queue, Buffer.alloc(bytes), { messageId: "huge" });
  await fleet.channel.waitForConfirms();
  const taker = fileURLToPath(new URL("../testing/taker.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [taker, probe.name], {
    env: { ...process.env, ENGINE_PREFIX: fleet.config.ENGINE_PREFIX },
  });
  const told = JSON.parse(stdout);
  expect(told).toMatchObject({ bytes: 0, tooLargeBytes: bytes });
  expect((told.peakBytes - told.idleBytes) / MB).toBeLessThan(150);
});

test("what was acked last is acked, though the consumer closes at once", async () => {
  const { deliveries, consumer } = await consume();
  good("last");
  await expect.poll(() => deliveries.length).toBe(1);
  for (const { acks, message } of deliveries) acks.ack(message);
  await consumer.close();
  const { deliveries: again } = await consume();
  good("next");
  await expect.poll(() => again.length).toBeGreaterThan(0);
  expect(ids(again)).toEqual(["next"]);
});
