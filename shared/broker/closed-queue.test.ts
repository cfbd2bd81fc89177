/** A queue that the broker closed, as LavinMQ does it: consuming is answered with ok, and no consumer is there. */
import pino from "pino";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { methodOf, type Rewriter, rewriteBefore } from "../testing/amqp-rewrite.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { probe } from "../testing/probe-engine.ts";
import { type Consumer, openConsumer } from "./consume.ts";

const QUEUE_DECLARE_OK = 0x0032000b;
const BASIC_DELIVER = 0x003c003c;

let fleet: TestFleet;
let between: Rewriter;
let queue: string;
let isClosed = false;

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
  queue = fleet.names.queue(probe.name);
  between = await rewriteBefore(fleet.config.AMQP_URL, () => {
    // What consumed while the queue was closed stays without deliveries when it is open again.
    let isDead = false;
    return {
      down(frame) {
        const method = methodOf(frame);
        if ((isClosed || isDead) && method === QUEUE_DECLARE_OK && frame.includes(queue)) {
          isDead = true;
          const copy = Buffer.from(frame);
          copy.writeUInt32BE(0, copy.length - 5);
          return copy;
        }
        return isDead && (method === BASIC_DELIVER || frame[0] !== 1) ? undefined : frame;
      },
    };
  });
});
afterEach(() => fleet.channel.purgeQueue(queue));
afterAll(async () => {
  await between?.close();
  await fleet?.close();
});

async function open() {
  const lines: { msg: string; alert?: string }[] = [];
  const got: string[] = [];
  const consumer: Consumer = await openConsumer(
    { ...fleet.config, AMQP_URL: between.url },
    {
      engine: probe.name,
      prefetch: 10,
      checkIntervalMs: 200,
      onDelivery({ message, acks }) {
        got.push(message.content.toString());
        acks.ack(message);
      },
      onStaleAck() {},
      log: pino({ level: "info" }, { write: (line) => lines.push(JSON.parse(line)) }),
    },
  );
  return { consumer, lines, got };
}

const send = (text: string) => fleet.channel.sendToQueue(queue, Buffer.from(text));

test("it is told once, not ready, and consumed as soon as it is back", async () => {
  const { consumer, lines, got } = await open();
  try {
    await consumer.start();
    expect(consumer.ready()).toBe(true);
    isClosed = true;
    await expect.poll(() => consumer.ready(), { timeout: 10_000 }).toBe(false);
    // It looks again and again meanwhile.
    const before = between.opened();
    await expect.poll(() => between.opened(), { timeout: 20_000 }).toBeGreaterThan(before + 1);
    expect(lines.filter(({ alert }) => alert === "queue_closed")).toHaveLength(1);
    expect(lines).toHaveLength(2);
    send("while closed");
    isClosed = false;
    await expect.poll(() => got, { timeout: 30_000 }).toEqual(["while closed"]);
    // The first delivery can come before all is seen to be well.
    await expect.poll(() => consumer.ready(), { timeout: 10_000 }).toBe(true);
  } finally {
    isClosed = false;
    await consumer.close();
  }
});

test("closed when the worker starts: it starts, is not ready, and begins when the queue is back", async () => {
  isClosed = true;
  const { consumer, lines, got } = await open();
  try {
    await consumer.start();
    expect(consumer.ready()).toBe(false);
    expect(lines).toContainEqual(expect.objectContaining({ alert: "queue_closed" }));
    send("first");
    isClosed = false;
    await expect.poll(() => got, { timeout: 30_000 }).toEqual(["first"]);
  } finally {
    isClosed = false;
    await consumer.close();
  }
});
