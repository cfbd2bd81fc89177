/** Acks on a real channel: whatever the order, each delivery is acked once, and none of another channel. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Acks } from "./acks.ts";
import { brokerNames } from "./client/wire.ts";
import { openTestFleet, type TestFleet } from "./testing/fleet.ts";
import { probe } from "./testing/probe-engine.ts";

let fleet: TestFleet;
/** Past 32 acks in flight to a quorum queue, RabbitMQ holds the rest back, and forgets them when the channel closes. */
const COUNT = 24;
beforeAll(async () => {
  fleet = await openTestFleet([probe]);
});
afterAll(() => fleet?.close());

async function deliveries(count: number) {
  const channel = await fleet.model.createChannel();
  await channel.prefetch(count);
  const acks = new Acks(channel, () => {});
  const queue = brokerNames(fleet.names.prefix).queue("probe");
  const messages: Parameters<Acks["ack"]>[0][] = [];
  await channel.consume(queue, (message) => message && messages.push(message));
  await fleet.until("all deliveries", () => (messages.length === count ? true : undefined));
  return { channel, acks, messages };
}

test("acks in any order leave the queue empty, with some handed back", async () => {
  for (let i = 0; i < COUNT; i++) await fleet.publish("probe", "run", {});
  const { channel, acks, messages } = await deliveries(COUNT);
  // Odd ones first, then the rest from the back, so that every kind of gap occurs.
  const order = [
    ...messages.filter((_, i) => i % 2),
    ...messages.filter((_, i) => i % 2 === 0).reverse(),
  ];
  for (const [i, message] of order.entries()) {
    acks.ack(message);
    if (i % 7 === 0) acks.flush();
  }
  acks.flush();
  await channel.close();
  expect((await fleet.channel.checkQueue(fleet.names.queue("probe"))).messageCount).toBe(0);
});

test("handed back deliveries return; a closed channel's acks are counted and dropped", async () => {
  for (let i = 0; i < 4; i++) await fleet.publish("probe", "run", {});
  const { channel, acks, messages } = await deliveries(4);
  const [a, b, c, d] = messages as [
    (typeof messages)[0],
    (typeof messages)[0],
    (typeof messages)[0],
    (typeof messages)[0],
  ];
  const { consumerTag } = a.fields;
  await channel.cancel(consumerTag);
  acks.handBack(b);
  acks.ack(a);
  acks.ack(c);
  acks.flush();
  acks.close();
  acks.ack(d);
  await channel.close();
  await fleet.until("two messages", async () =>
    (await fleet.channel.checkQueue(fleet.names.queue("probe"))).messageCount === 2
      ? true
      : undefined,
  );
});
