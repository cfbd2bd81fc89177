/** The client against a real broker: each ending of a send and of a call, replies, events, close. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { inspect } from "node:util";
import amqplib from "amqplib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePorts } from "../services/ready.ts";
import { brokerNames } from "../wire/names.ts";
import { connect } from "./client.ts";
import type { ConnectOptions } from "./options.ts";
import type { JobReply } from "./replies.ts";
import { ECHO } from "./testing/contract.ts";
import { declareTopology, removeTopology, type StandIn, startStandIn } from "./testing/worker.ts";

/** From the tests' global set-up. */
const amqpUrl = process.env.AMQP_URL ?? "";
const prefix = `t${randomBytes(4).toString("hex")}`;
let worker: StandIn;

beforeAll(async () => {
  await declareTopology(amqpUrl, prefix);
  worker = await startStandIn(amqpUrl, prefix);
});

afterAll(async () => {
  await worker?.close();
  await removeTopology(amqpUrl, prefix);
});

const open = (options: Partial<ConnectOptions> = {}) =>
  connect({ amqpUrl, prefix, contract: ECHO, ...options });

test("10,000 instant calls: none is missed", async () => {
  await using client = await open();
  const startedAt = performance.now();
  const outputs = await Promise.all(
    Array.from({ length: 10_000 }, (_, value) => client.call("echo", "say", { value })),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  console.log(`calls: ${Math.round(10_000 / seconds)}/s`);
  expect(outputs.map(({ value }) => value)).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
}, 60_000);

test("send resolves after the confirm, with the id", async () => {
  await using client = await open();
  expect(await client.send("echo", "say", { value: 1 }, { id: "mine:1" })).toEqual({
    id: "mine:1",
  });
  const { id } = await client.send("echo", "say", { value: 1 });
  expect(id).toMatch(/^[\da-f-]{36}$/);
});

test("a job goes into the lane that is named, interactive if none is", async () => {
  await using client = await open();
  const say = { value: 7 };
  expect(await client.call("echo", "say", say, { id: "lane:bulk", lane: "bulk" })).toEqual(say);
  await client.call("echo", "say", say, { id: "lane:interactive", lane: "interactive" });
  await client.call("echo", "say", say, { id: "lane:none" });
  const came = ["lane:bulk", "lane:interactive", "lane:none"].map((id) =>
    worker.routingKeys.get(id),
  );
  expect(came).toEqual(["echo.bulk", "echo", "echo"]);
});

test("a job for later goes to who keeps it, with its time, under the key that it would have now", async () => {
  const { later } = brokerNames(prefix);
  const connection = await amqplib.connect(amqpUrl);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue("", { exclusive: true });
  await channel.bindQueue(queue, later, "#");
  await using client = await open();
  const runAt = new Date(Date.now() + 3_600_000);
  await client.send("echo", "say", { value: 1 }, { runAt, lane: "bulk" });
  const before = Date.now();
  await client.send("echo", "say", { value: 2 }, { runIn: 60_000 });
  const [first, second] = [await channel.get(queue), await channel.get(queue)];
  if (!first || !second) throw new Error("not there");
  expect(first.fields).toMatchObject({ exchange: later, routingKey: "echo.bulk" });
  expect(first.properties.headers?.["x-run-at"]).toBe(runAt.getTime());
  expect(second.fields.routingKey).toBe("echo");
  expect(second.properties.headers?.["x-run-at"]).toBeGreaterThanOrEqual(before + 60_000);
  await connection.close();
});

test("a job's error arrives with its code", async () => {
  await using client = await open();
  await expect(client.call("echo", "say", { value: 1, answer: "fail" })).rejects.toMatchObject({
    name: "JobFailed",
    code: "rejected",
    retriable: false,
    attempt: 1,
    job: { engine: "echo" },
  });
  await expect(client.call("echo", "say", { value: 1, answer: "garbage" })).rejects.toMatchObject({
    code: "unreadable_reply",
  });
});

test("a queue that is not there: Unroutable, for send and call", async () => {
  await using client = await open();
  const unroutable = { name: "Unroutable", code: "unroutable" };
  await expect(client.send("absent", "say", { value: 1 })).rejects.toMatchObject(unroutable);
  await expect(client.call("absent", "say", { value: 1 })).rejects.toMatchObject(unroutable);
});

test("an exchange that is not there: topology_missing", async () => {
  await using client = await open({ prefix: "nobody" });
  const error = await client.send("echo", "say", { value: 1 }).catch((reason) => reason);
  expect(error).toMatchObject({ name: "BrokerUnavailable", code: "topology_missing" });
  expect(error.message).toContain("must be the workers' ENGINE_PREFIX");
});

test("a prefix that no worker can have is refused, and so is a reply-to that no worker takes", async () => {
  for (const other of ["Engine", "a.b", "1x", "x".repeat(32)])
    await expect(open({ prefix: other })).rejects.toMatchObject({
      ...{ code: "invalid_option", message: expect.stringContaining("ENGINE_PREFIX") },
    });
  await using client = await open();
  const send = (replyTo: string | null) => client.send("echo", "say", { value: 1 }, { replyTo });
  for (const bad of [
    "answers",
    `${prefix}.replies`,
    "replies",
    "*.replies",
    "amq.gen-",
    "app.repliesx",
  ])
    await expect(send(bad)).rejects.toMatchObject({
      ...{ code: "invalid_option", message: expect.stringContaining("workers refuse others") },
    });
  for (const good of [`app.${prefix}x.replies`, `app.${prefix}x.replies.1`, "amq.gen-x1", null])
    expect(await send(good)).toMatchObject({ id: expect.any(String) });
});

test("wrong names, ids, options and inputs are refused before publishing", async () => {
  await using client = await open();
  const send = client.send.bind(client) as (...args: unknown[]) => Promise<unknown>;
  const refused = (code: string) => ({ name: "InvalidArgument", code });
  await expect(send("nope", "say", {})).rejects.toMatchObject(refused("unknown_engine"));
  await expect(send("constructor", "say", {})).rejects.toMatchObject(refused("unknown_engine"));
  await expect(send("echo", "toString", {})).rejects.toMatchObject(refused("unknown_action"));
  await expect(send("echo", "say", {}, { id: ".." })).rejects.toMatchObject(refused("invalid_id"));
  await expect(send("echo", "say", undefined)).rejects.toMatchObject(refused("invalid_input"));
  await expect(send("echo", "say", 1n)).rejects.toMatchObject(refused("invalid_input"));
  const lane = send("echo", "say", {}, { lane: "fast" });
  await expect(lane).rejects.toMatchObject(refused("invalid_option"));
  const large = "x".repeat(1_100_000);
  await expect(send("echo", "say", large)).rejects.toMatchObject(refused("payload_too_large"));
  const long = "ñ".repeat(128); // 256 bytes
  const wrong = [
    { timeoutMs: 0 },
    { traceparent: "x" },
    { replyTo: "" },
    { replyTo: long },
    { correlationId: long },
    { correlationId: 5 },
    { deadline: Number.NaN },
    { runAt: Number.NaN },
    { runAt: new Date("never") },
    { runAt: -1 },
    { runAt: Date.now() + 367 * 86_400_000 },
    { runAt: Date.now(), runIn: 5 },
    { runIn: -1 },
    { runIn: "soon" },
    { runIn: Number.POSITIVE_INFINITY },
    { runIn: 60_000, deadline: Date.now() + 30_000 },
  ];
  for (const options of wrong)
    await expect(send("echo", "say", {}, options)).rejects.toMatchObject(refused("invalid_option"));
  await expect(send("echo", "say", {}, { id: 5 })).rejects.toMatchObject(refused("invalid_id"));
  await expect(client.events(long, () => {})).rejects.toMatchObject(refused("invalid_option"));
  for (const concurrency of [0, -1, 0.5, 65_536, Number.NaN])
    await expect(client.events("a", () => {}, { concurrency })).rejects.toMatchObject(
      refused("invalid_option"),
    );
  const longName = { engines: { ["e".repeat(250)]: { say: { version: 1, maxInputBytes: 10 } } } };
  await using other = await connect({ amqpUrl, prefix, contract: longName as never });
  const sendOther = other.send.bind(other) as (...args: unknown[]) => Promise<unknown>;
  await expect(sendOther("e".repeat(250), "say", {})).rejects.toMatchObject(
    refused("invalid_option"),
  );
});

test("no reply: CallTimeout at the timeout", async () => {
  await using client = await open();
  const startedAt = performance.now();
  const call = client.call("echo", "say", { value: 1, answer: "none" }, { timeoutMs: 400 });
  await expect(call).rejects.toMatchObject({ name: "CallTimeout", timeoutMs: 400 });
  expect(performance.now() - startedAt).toBeLessThan(700);
});

test("abort rejects at once with the signal's reason", async () => {
  await using client = await open();
  const controller = new AbortController();
  const call = client.call(
    "echo",
    "say",
    { value: 1, answer: "none" },
    { signal: controller.signal },
  );
  controller.abort();
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
  const late = client.send("echo", "say", { value: 1 }, { signal: controller.signal });
  await expect(late).rejects.toMatchObject({ name: "AbortError" });
});

test("close rejects pending calls, and everything after it", async () => {
  const client = await open();
  const call = client.call("echo", "say", { value: 1, answer: "none" });
  const settled = expect(call).rejects.toMatchObject({ code: "client_closed" });
  await client.send("echo", "say", { value: 1 });
  await client.close();
  await settled;
  await expect(client.send("echo", "say", { value: 1 })).rejects.toMatchObject({
    code: "client_closed",
  });
  await client.close();
});

test("a reply that comes twice settles its call once; the next call gets its own", async () => {
  await using client = await open();
  expect(await client.call("echo", "say", { value: 1, answer: "twice" })).toEqual({ value: 1 });
  expect(await client.call("echo", "say", { value: 2 })).toEqual({ value: 2 });
});

test("onReply: each reply once, again after the handler threw, acknowledged at the end", async () => {
  const replyQueue = `app.${prefix}.replies`;
  await using client = await open({ replyQueue });
  const seen: JobReply[] = [];
  const { promise: last, resolve } = Promise.withResolvers<void>();
  let thrown = false;
  await client.onReply((reply) => {
    if (reply.id === "throws" && !thrown) {
      thrown = true;
      throw new Error("the handler is not ready yet");
    }
    seen.push(reply);
    if (reply.id === "throws") resolve();
  });
  await client.send("echo", "say", { value: 7, answer: "twice" }, { id: "double" });
  await client.send("echo", "say", { value: 8 }, { id: "throws", correlationId: "c-1" });
  await last;
  expect(seen.map(({ id }) => id)).toEqual(["double", "throws"]);
  expect(seen[1]).toMatchObject({
    engine: "echo",
    action: "say",
    correlationId: "c-1",
    attempt: 1,
    status: "succeeded",
    output: { value: 8 },
  });
});

test("events by pattern, each once, typed by their name", async () => {
  await using client = await open();
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const seen: string[] = [];
  await client.events(["thing.*"], (event) => {
    seen.push(event.id);
    if (event.id === "e2") resolve(event);
  });
  await worker.announce("other.made", {}, "e0");
  await worker.announce("thing.made", { a: 1 }, "e1");
  await worker.announce("thing.made", { a: 1 }, "e1");
  await worker.announce("thing.gone", { a: 2 }, "e2");
  expect(await promise).toEqual({ id: "e2", type: "thing.gone", body: { a: 2 } });
  expect(seen).toEqual(["e1", "e2"]);
});

test("a durable subscription gets what was announced while nobody listened", async () => {
  const queue = `app.${prefix}.events`;
  const first = await open();
  await first.events("kept.*", () => {}, { queue });
  await first.close();
  await worker.announce("kept.made", { a: 1 }, "k1");
  await using second = await open();
  const { promise, resolve } = Promise.withResolvers<string>();
  await second.events("kept.*", (event) => resolve(event.id), { queue });
  expect(await promise).toBe("k1");
});

test("broker down: connect rejects within 5 s, with a code and what to do", async () => {
  const [port] = await freePorts(1);
  const startedAt = performance.now();
  const away = open({ amqpUrl: `amqp://127.0.0.1:${port}` });
  await expect(away).rejects.toMatchObject({ code: "broker_unreachable" });
  // One that accepts and says nothing.
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const address = silent.address() as { port: number };
  const mute = open({ amqpUrl: `amqp://127.0.0.1:${address.port}` });
  await expect(mute).rejects.toThrow(/AMQP_URL/);
  silent.close();
  expect(performance.now() - startedAt).toBeLessThan(5_000);
}, 10_000);

test("a wrong password or vhost says so", async () => {
  const refused = { name: "BrokerUnavailable", code: "access_refused" };
  const url = new URL(amqpUrl);
  url.password = "wrong";
  const error = await open({ amqpUrl: url.href }).catch((reason) => reason);
  expect(error).toMatchObject(refused);
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("wrong");
  const other = new URL(amqpUrl);
  other.pathname = "/%2Fnone";
  await expect(open({ amqpUrl: other.href })).rejects.toMatchObject(refused);
});

test("without a databaseUrl or redisUrl it says what to configure", async () => {
  await using client = await open();
  await expect(client.result("a", "echo")).rejects.toThrow(/databaseUrl.*DATABASE_URL/);
  await expect(client.cancel("a", "echo")).rejects.toThrow(/redisUrl.*REDIS_URL/);
  await expect(client.status("a", "echo")).rejects.toThrow(/redisUrl/);
  await expect(client.onReply(() => {})).rejects.toThrow(/replyQueue/);
});
