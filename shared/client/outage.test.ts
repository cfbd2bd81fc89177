/** The client while the broker dies, freezes, blocks, or loses a queue: nothing is missed, nothing hangs. */
import { setTimeout as sleep } from "node:timers/promises";
import amqplib from "amqplib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { proxyBefore } from "../testing/proxy.ts";
import { connect } from "./client.ts";
import type { ConnectOptions } from "./options.ts";
import { type Broker, CAN_OWN_BROKER, ownBroker } from "./testing/broker.ts";
import { ECHO } from "./testing/contract.ts";
import { declareTopology, type StandIn, startStandIn } from "./testing/worker.ts";

let broker: Broker;
let worker: StandIn;
const prefix = `o${process.pid}`;

/** A client, and a promise of the next trouble of each kind. */
async function open(options: Partial<ConnectOptions> = {}) {
  const waiting = new Map<string, () => void>();
  const client = await connect({
    amqpUrl: broker.url,
    prefix,
    contract: ECHO,
    onTrouble: (event) => waiting.get(event)?.(),
    ...options,
  });
  const trouble = (event: string) => new Promise<void>((resolve) => waiting.set(event, resolve));
  return { client, trouble };
}

describe.skipIf(!CAN_OWN_BROKER)("with a broker of its own", () => {
  beforeAll(async () => {
    broker = await ownBroker();
    await declareTopology(broker.url, prefix);
  }, 90_000);
  beforeEach(async () => {
    worker = await startStandIn(broker.url, prefix);
  });
  afterEach(() => worker.close());
  afterAll(() => broker?.remove());

  test("broker killed and restarted during calls: every call gets its reply", async () => {
    const { client } = await open();
    await using _ = client;
    await client.call("echo", "say", { value: 1 }); // From now on the reply queue stands.
    await worker.close(); // So that all are still unanswered when the broker dies.
    const calls = Array.from({ length: 200 }, (_, value) =>
      client.call("echo", "say", { value }, { timeoutMs: 100_000 }),
    );
    const outcome = Promise.allSettled(calls);
    await client.send("echo", "say", { value: -1 }); // Confirmed after the calls before it.
    await broker.kill();
    await broker.start();
    worker = await startStandIn(broker.url, prefix);
    await outcome;
    const outputs = await Promise.all(calls);
    expect(outputs.map(({ value }) => value)).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(await client.call("echo", "say", { value: 1 })).toEqual({ value: 1 });
  }, 150_000);

  test("broker killed under load: each send and call settles, and none that was confirmed is lost", async () => {
    const { client, trouble } = await open();
    await using _ = client;
    const down = trouble("connection_lost");
    let confirmed = 0;
    const ids = Array.from({ length: 3_000 }, (_, index) => `load-${index}`);
    const sends = ids.map(async (id, value) => {
      await client.send("echo", "say", { value }, { id });
      if (++confirmed === 500) await broker.kill();
    });
    const allSettled = Promise.allSettled(sends);
    await down;
    const startedAt = performance.now();
    const late = client.send("echo", "say", { value: 1 });
    await expect(late).rejects.toMatchObject({ name: "BrokerUnavailable", maybeAccepted: false });
    const settled = await allSettled;
    expect(performance.now() - startedAt).toBeLessThan(5_200);
    const failures = settled.filter(({ status }) => status === "rejected");
    expect(failures.length).toBeGreaterThan(0);
    for (const { reason } of failures as PromiseRejectedResult[])
      expect(reason).toMatchObject({ code: "broker_unreachable" });

    await broker.start();
    await worker.close();
    const { arrivals } = worker;
    worker = await startStandIn(broker.url, prefix);
    await client.call("echo", "say", { value: 0 }, { timeoutMs: 20_000 }); // Behind all others in the queue.
    const lost = ids.filter(
      (id, index) =>
        settled[index]?.status === "fulfilled" && !arrivals.has(id) && !worker.arrivals.has(id),
    );
    expect(lost).toEqual([]);
  }, 150_000);

  test("half-open connection: rejects within 5 s, then reconnects and works", async () => {
    const proxy = await proxyBefore(broker.url);
    const { client, trouble } = await open({ amqpUrl: proxy.url, publishTimeoutMs: 1_000 });
    await using _ = client;
    await client.call("echo", "say", { value: 1 });
    const hole = proxy.apply({ kind: "blackHole" });
    const lost = trouble("connection_lost");
    await expect(client.send("echo", "say", { value: 1 })).rejects.toMatchObject({
      code: "confirm_timeout",
      maybeAccepted: true,
    });
    await lost;
    const stuck = client.call("echo", "say", { value: 2 }, { timeoutMs: 20_000 });
    hole.remove();
    expect(await stuck.catch(() => client.call("echo", "say", { value: 2 }))).toEqual({ value: 2 });
    await proxy.close();
  }, 30_000);

  test("close ends in time, though the broker answers nothing more", async () => {
    const proxy = await proxyBefore(broker.url);
    const { client } = await open({ amqpUrl: proxy.url });
    await client.call("echo", "say", { value: 1 });
    await client.events("a", () => {});
    proxy.apply({ kind: "blackHole" });
    const call = client.call("echo", "say", { value: 2 });
    const ended = expect(call).rejects.toMatchObject({ code: "client_closed" });
    const startedAt = performance.now();
    await client.close();
    expect(performance.now() - startedAt).toBeLessThan(8_000);
    await ended;
    await proxy.close();
  }, 90_000);

  test("half-open, though an earlier confirm came in after the write: seen all the same", async () => {
    const proxy = await proxyBefore(broker.url);
    const { client, trouble } = await open({ amqpUrl: proxy.url, publishTimeoutMs: 2_000 });
    await using _ = client;
    await client.send("echo", "say", { value: 0 }); // From now on its channel is open.
    proxy.apply({ kind: "latency", delayMs: 300 });
    const early = client.send("echo", "say", { value: 1 }, { id: "early" });
    await vi.waitFor(() => expect(worker.arrivals.has("early")).toBe(true), { interval: 10 });
    const lost = trouble("connection_lost");
    const late = client.send("echo", "say", { value: 2 });
    const rejected = expect(late).rejects.toMatchObject({ code: "confirm_timeout" });
    await early;
    proxy.apply({ kind: "blackHole" });
    await rejected;
    await lost;
    await proxy.close();
  }, 30_000);

  test("a channel without confirms is replaced, and the connection kept", async () => {
    const proxy = await proxyBefore(broker.url);
    const { client, trouble } = await open({ amqpUrl: proxy.url, publishTimeoutMs: 2_000 });
    await using _ = client;
    await client.call("echo", "say", { value: 1 });
    proxy.apply({ kind: "muteConfirms" });
    const connections = proxy.connections();
    const lost = trouble("connection_lost").then(() => "lost");
    const overdue = trouble("confirms_overdue");
    const first = client.send("echo", "say", { value: 2 });
    const rejected = expect(first).rejects.toMatchObject({
      code: "confirm_timeout",
      maybeAccepted: true,
    });
    await sleep(1_800);
    // Its confirm stays away as well, but its time is not up when the channel is replaced.
    const second = client.send("echo", "say", { value: 3 }, { id: "in-time" });
    await overdue;
    await rejected;
    expect(await second).toEqual({ id: "in-time" });
    expect(await client.call("echo", "say", { value: 4 })).toEqual({ value: 4 });
    expect(proxy.connections()).toBe(connections);
    expect(await Promise.race([lost, "kept"])).toBe("kept");
    await proxy.close();
  }, 30_000);

  test("connection cut before a confirm: published again, confirmed once", async () => {
    const proxy = await proxyBefore(broker.url);
    const { client } = await open({ amqpUrl: proxy.url });
    await using _ = client;
    await client.send("echo", "say", { value: 1 });
    const cut = proxy.apply({ kind: "cutWhen", needle: "cut-here", lose: "response" });
    expect(await client.send("echo", "say", { value: 1 }, { id: "cut-here" })).toEqual({
      id: "cut-here",
    });
    await cut.fired;
    await proxy.close();
  }, 30_000);

  test("memory alarm: sends reject as broker_blocked, and work again after it", async () => {
    const { client } = await open({ publishTimeoutMs: 1_500 });
    await using _ = client;
    await client.call("echo", "say", { value: 1 });
    await broker.control("set_vm_memory_high_watermark", "0.0000001");
    const send = client.send("echo", "say", { value: 2 }, { id: "blocked" });
    await expect(send).rejects.toMatchObject({ code: "broker_blocked", maybeAccepted: true });
    await expect(client.send("echo", "say", { value: 3 })).rejects.toMatchObject({
      code: "broker_blocked",
      maybeAccepted: false,
    });
    await broker.control("set_vm_memory_high_watermark", "0.9");
    await client.call("echo", "say", { value: 4 });
  }, 60_000);

  test("reply queue deleted during a call: declared again, the call sent again", async () => {
    const { client, trouble } = await open({ appId: "victim" });
    await using _ = client;
    await client.call("echo", "say", { value: 1 });
    await worker.close();
    const call = client.call("echo", "say", { value: 5 }, { timeoutMs: 20_000 });
    await client.send("echo", "say", { value: 0 });
    const lost = trouble("consumer_lost");
    await deleteReplyQueue("victim");
    await lost;
    worker = await startStandIn(broker.url, prefix);
    expect(await call).toEqual({ value: 5 });
  }, 30_000);
});

/** Finds the queue by the reply-to of a job that waits. */
async function deleteReplyQueue(appId: string): Promise<void> {
  const connection = await amqplib.connect(broker.url);
  const channel = await connection.createChannel();
  for (;;) {
    const job = await channel.get(`${prefix}.echo`);
    if (!job) throw new Error("no job with a reply queue waits");
    const { replyTo } = job.properties;
    if (!replyTo?.startsWith(`${appId}.`)) continue;
    await channel.deleteQueue(replyTo);
    return connection.close();
  }
}
