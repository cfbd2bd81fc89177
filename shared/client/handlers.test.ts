/** What the caller's own functions throw: never the end of the process, and never the end of the other messages. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "./client.ts";
import { ECHO } from "./testing/contract.ts";
import { publishRaw } from "./testing/raw-publish.ts";
import { declareTopology, removeTopology, type StandIn, startStandIn } from "./testing/worker.ts";

const amqpUrl = process.env.AMQP_URL ?? "";
const prefix = `h${randomBytes(4).toString("hex")}`;
const replyQueue = `app.${prefix}.replies`;
let worker: StandIn;

beforeAll(async () => {
  await declareTopology(amqpUrl, prefix);
  worker = await startStandIn(amqpUrl, prefix);
});
afterAll(async () => {
  await worker?.close();
  await removeTopology(amqpUrl, prefix);
});

const THROWN = [new Error("no"), undefined, null, "text"];

test.each([
  ["onReply", 40],
  ["events", 40],
] as const)(
  "%s: handlers that fail for ever hold up nobody else",
  async (kind, poison) => {
    const trouble: string[] = [];
    const onTrouble = (event: string) => void trouble.push(event);
    await using client = await connect({ amqpUrl, prefix, contract: ECHO, replyQueue, onTrouble });
    const handled: string[] = [];
    const tries = new Map<string, number>();
    const concurrency = 3;
    let running = 0;
    let most = 0;
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const handler = async ({ id }: { id: string }) => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running -= 1;
      const tried = (tries.get(id) ?? 0) + 1;
      tries.set(id, tried);
      if (id.startsWith("poison")) throw THROWN[tried % THROWN.length];
      if (handled.push(id) === 20) resolve();
    };
    const ids = [
      ...Array.from({ length: poison }, (_, index) => `poison-${index}`),
      ...Array.from({ length: 20 }, (_, index) => `good-${index}`),
    ];
    if (kind === "onReply") {
      await client.onReply(handler, { concurrency });
      for (const id of ids) await client.send("echo", "say", { value: 1 }, { id });
    } else {
      await client.events("thing.*", handler, { concurrency });
      for (const id of ids) await worker.announce("thing.happened", {}, id);
    }
    await done;
    expect(most).toBeLessThanOrEqual(concurrency);
    expect(Math.max(...tries.values())).toBeLessThan(6); // Later and later, not in a loop.
    expect(new Set(trouble)).toEqual(new Set(["handler_failed"]));
  },
  30_000,
);

test.each([
  [
    "throws",
    () => {
      throw new Error("mine");
    },
  ],
  ["rejects", () => Promise.reject(new Error("mine"))],
])("an onTrouble that %s changes nothing", async (_, onTrouble) => {
  await using client = await connect({ amqpUrl, prefix, contract: ECHO, replyQueue, onTrouble });
  const { promise: replied, resolve } = Promise.withResolvers<void>();
  let failed = false;
  await client.onReply(({ id }) => {
    if (id === "last") resolve();
    if (!failed && id === "bad") {
      failed = true;
      throw new Error("handler");
    }
  });
  const body = { status: "succeeded" };
  const name = Buffer.from("x");
  const raw = { headers: Buffer.alloc(0), correlationId: name, messageId: name, body };
  await publishRaw(amqpUrl, "", replyQueue, [{ ...raw, type: "no reply" }]);
  await client.send("echo", "say", { value: 1 }, { id: "bad" });
  await client.send("echo", "say", { value: 1 }, { id: "last" });
  await replied;
});
