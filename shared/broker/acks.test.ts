/** Acks on a real channel: whatever the order, each delivery is acked once, and none of another channel. */
import type { Channel, ConsumeMessage } from "amqplib";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { probe } from "../testing/probe-engine.ts";
import { brokerNames } from "../wire/names.ts";
import { Acks } from "./acks.ts";

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

test("acks in any order leave nothing unacked", async () => {
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
  // Whatever is not acked by now comes back, before the answer to the get.
  await channel.cancel(String(messages[0]?.fields.consumerTag));
  await channel.recover();
  expect(await channel.get(fleet.names.queue("probe"))).toBe(false);
  await channel.close();
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

/** The broker's rule for tags: one that it was told before is an error; a run takes what is left. */
class TagRules {
  readonly settled = new Set<number>();
  readonly told = new Set<number>();
  lastWasRun = false;

  ack({ fields: { deliveryTag } }: ConsumeMessage, upTo = false): void {
    this.lastWasRun = upTo;
    this.tell(deliveryTag);
    if (upTo)
      for (let tag = deliveryTag - 1; tag > 0; tag--) if (!this.told.has(tag)) this.tell(tag);
  }

  nack({ fields: { deliveryTag } }: ConsumeMessage): void {
    this.tell(deliveryTag);
  }

  tell(tag: number): void {
    if (this.told.has(tag)) throw new Error(`PRECONDITION_FAILED - unknown delivery tag ${tag}`);
    if (!this.settled.has(tag)) throw new Error(`${tag} has not settled`);
    this.told.add(tag);
  }
}

test("each delivery is told once, and none before it settled, in whatever order", () => {
  const step = fc.record({
    pick: fc.nat(63),
    what: fc.constantFrom("ack", "ack", "ack", "hand back", "flush"),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 3_000, size: "max" }),
      fc.nat(1_500),
      (steps, heldFor) => {
        const rules = new TagRules();
        const acks = new Acks(rules as unknown as Channel, () => {});
        const settle = (deliveryTag: number, what: string) => {
          const message = { fields: { deliveryTag } } as ConsumeMessage;
          rules.settled.add(deliveryTag);
          if (what === "hand back") acks.handBack(message);
          else acks.ack(message);
        };
        const last = steps.length + 1;
        const open = Array.from(steps, (_, i) => i + 1);
        for (const [i, { pick, what }] of steps.entries()) {
          // The first is held so long that others pass the span that the acks begin with.
          const [tag] = what === "flush" ? [] : open.splice(i < heldFor ? pick + 1 : pick, 1);
          if (tag === undefined) acks.flush();
          else settle(tag, what);
        }
        for (const tag of [...open, last]) settle(tag, "ack");
        acks.flush();
        expect(acks.closed).toBe(false);
        expect(rules.told.size).toBe(last);
        // No gap is left behind, or every later ack would be a frame of its own.
        expect(rules.lastWasRun).toBe(true);
      },
    ),
    { numRuns: 100, endOnFailure: true },
  );
});
