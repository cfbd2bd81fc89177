/** A caller's or a subscriber's queue that takes nothing holds nobody else up, and every job ends. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { PROBE_LEDGER, probe } from "../testing/probe-engine.ts";
import type { RunningWorker } from "../worker.ts";

let fleet: TestFleet;
let worker: RunningWorker;
let full: string;

const FULL = { "x-max-length": 1, "x-overflow": "reject-publish", "x-expires": 600_000 };

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
  await fleet.pool.query(PROBE_LEDGER);
  full = `${fleet.names.prefix}x.replies.full`;
  await fleet.channel.assertQueue(full, { durable: true, arguments: FULL });
  await new Promise<void>((resolve, reject) =>
    fleet.channel.sendToQueue(full, Buffer.from("the one"), {}, (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  worker = await fleet.start(probe);
});
afterAll(() => fleet?.close());

const metric = async (name: string) => {
  const text = await (await fetch(`http://127.0.0.1:${worker.healthPort}/metrics`)).text();
  return Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, "m").exec(text)?.[1]);
};

const ended = (id: string) =>
  fleet.until(`the row of ${id}`, async () => (await fleet.rows(id))[0]?.status);

/** Nothing is left in the engine's queue, unacked among it. */
const settled = () =>
  fleet.until("all deliveries are settled", async () =>
    (await metric("engine_jobs_in_flight")) === 0 ? true : undefined,
  );

test("a full reply queue: the jobs end, and those of others are answered meanwhile", async () => {
  const refusedBefore = await metric("engine_refused_replies_total");
  const theirs = await Promise.all(
    Array.from({ length: 40 }, () => fleet.publish("probe", "run", {}, { replyTo: full })),
  );
  const startedAtMs = performance.now();
  const ours = await fleet.publish("probe", "run", { value: "mine" });
  expect((await fleet.reply(ours)).reply).toMatchObject({ status: "succeeded" });
  for (const id of theirs) expect(await ended(id)).toBe("succeeded");
  await settled();
  expect(performance.now() - startedAtMs).toBeLessThan(20_000);
  expect(await metric("engine_refused_replies_total")).toBe(refusedBefore + 40);
  expect((await fleet.channel.checkQueue(full)).messageCount).toBe(1);
});

test("a full queue of one subscriber: the job ends, is answered, and others hear of it", async () => {
  const subscriber = `${fleet.names.prefix}x.full-events`;
  const listener = `${fleet.names.prefix}x.events`;
  await fleet.channel.assertQueue(subscriber, { durable: true, arguments: FULL });
  await fleet.channel.assertQueue(listener, { durable: true, arguments: { "x-expires": 600_000 } });
  for (const queue of [subscriber, listener])
    await fleet.channel.bindQueue(queue, fleet.names.events, "probe.ran");
  const first = await fleet.publish("probe", "run", {});
  await fleet.reply(first);
  const second = await fleet.publish("probe", "run", { value: "heard" });
  expect((await fleet.reply(second)).reply).toMatchObject({ status: "succeeded" });
  await settled();
  expect(await metric("engine_refused_events_total")).toBeGreaterThanOrEqual(1);
  const heard: string[] = [];
  for (let message = await fleet.channel.get(listener); message; ) {
    heard.push(JSON.parse(message.content.toString()).value);
    message = await fleet.channel.get(listener, { noAck: true });
  }
  expect(heard).toContain("heard");
  for (const queue of [subscriber, listener]) await fleet.channel.deleteQueue(queue);
});

test("a type that leaves no room for the reply's suffix is answered under the engine's name", async () => {
  const type = `probe.${"a".repeat(240)}.v1`;
  const id = await fleet.publish("probe", "run", {}, { type });
  expect(await fleet.reply(id)).toMatchObject({
    type: "probe.error",
    reply: { status: "failed" },
  });
});
