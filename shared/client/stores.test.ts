/** Results, progress and cancellation by id, against the true runtime on Postgres and Redis. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";
import { RetryLater } from "../engine/errors.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { connect } from "./client.ts";
import { contractOf } from "./contract-of.ts";

const running = new Map<string, (signal: AbortSignal) => void>();
const isBack = new Set<string>();
const startOf = (id: string) =>
  new Promise<AbortSignal>((resolve) => {
    running.set(id, resolve);
  });

const definition = defineWorker({
  name: "stores",
  concurrency: 8,
  timeoutMs: 60_000,
  actions: {
    /** Fails once, after a report; or waits, uncounted. */
    again: action({
      version: 1,
      input: z.object({ how: z.enum(["throw", "later"]) }),
      output: z.object({}),
      handle({ how }, job) {
        job.progress(0.25);
        if (how === "later" && !isBack.has(job.id)) {
          isBack.add(job.id);
          throw new RetryLater(4_000);
        }
        if (how === "throw" && job.attempt === 1)
          throw Object.assign(new Error("amqp://u:hunter2@h is away"), { code: "EAWAY" });
        return {};
      },
    }),
    echo: action({
      version: 1,
      input: z.object({ value: z.number() }),
      output: z.object({ value: z.number() }),
      handle: ({ value }) => ({ value }),
    }),
    hang: action({
      version: 1,
      input: z.object({}),
      output: z.object({}),
      async handle(_input, job) {
        job.progress(0.5, "half way");
        running.get(job.id)?.(job.signal);
        await new Promise((_, reject) => {
          job.signal.addEventListener("abort", () => reject(job.signal.reason));
        });
        return {};
      },
    }),
  },
});

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await openTestFleet([definition]);
  await fleet.start(definition);
});
afterAll(() => fleet?.close());

const open = () =>
  connect({
    amqpUrl: fleet.config.AMQP_URL,
    databaseUrl: fleet.config.DATABASE_URL,
    redisUrl: fleet.config.REDIS_URL,
    prefix: fleet.names.prefix,
    contract: contractOf(definition),
  });

/** The first answer that tells of this state. */
const statusWhile = (client: Awaited<ReturnType<typeof open>>, id: string, state: string) =>
  fleet.until(`${id} ${state}`, async () => {
    const now = await client.status(id, "stores");
    return now.state === state ? now : undefined;
  });

test("under a prefix that no fleet has, Redis' silence is no answer", async () => {
  const { AMQP_URL: amqpUrl, REDIS_URL: redisUrl } = fleet.config;
  const contract = contractOf(definition);
  const prefix = `${fleet.names.prefix}y`;
  await using client = await connect({ amqpUrl, redisUrl, contract, prefix });
  for (const asking of ["status", "cancel"] as const)
    await expect(client[asking]("x", "stores")).rejects.toMatchObject({
      code: "topology_missing",
      message: expect.stringContaining("ENGINE_PREFIX"),
    });
});

test("a call through the true runtime; its result and status by id", async () => {
  await using client = await open();
  const id = fleet.newId();
  expect(await client.result(id, "stores")).toBeUndefined();
  expect(await client.status(id, "stores")).toMatchObject({ state: "unknown" });
  expect(await client.call("stores", "echo", { value: 3 }, { id })).toEqual({ value: 3 });
  expect(await client.result(id, "stores")).toMatchObject({
    id,
    status: "succeeded",
    output: { value: 3 },
    attempt: 1,
    generation: 0,
  });
  expect(await client.status(id, "stores")).toMatchObject({ state: "succeeded" });
  const sent = { engine: "stores", action: "echo", input: { value: 3 } } as const;
  const other = fleet.newId();
  expect(
    await client.resendUnanswered([
      { ...sent, id },
      { ...sent, id: other },
    ]),
  ).toEqual([other]);
});

test("invalid input arrives as JobFailed with the paths", async () => {
  await using client = await open();
  const call = client.call("stores", "echo", { value: "3" as unknown as number });
  await expect(call).rejects.toMatchObject({ code: "invalid_input", details: [{ path: "value" }] });
});

test("cancel reaches the handler's signal within 1 s and the call rejects as Cancelled", async () => {
  await using client = await open();
  const id = fleet.newId();
  const started = startOf(id);
  const call = client.call("stores", "hang", {}, { id });
  const settled = expect(call).rejects.toMatchObject({ name: "Cancelled", code: "cancelled" });
  const signal = await started;
  const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
  const status = await fleet.until("progress", async () => {
    const now = await client.status(id, "stores");
    return now.progress ? now : undefined;
  });
  expect(status).toMatchObject({
    state: "running",
    progress: { fraction: 0.5, note: "half way" },
    cancelRequested: false,
  });
  const cancelledAt = performance.now();
  expect(await client.cancel(id, "stores")).toEqual({ requested: true });
  await aborted;
  expect(performance.now() - cancelledAt).toBeLessThan(1_000);
  await settled;
  expect(await client.status(id, "stores")).toMatchObject({
    state: "failed",
    error: { code: "cancelled" },
  });
  await fleet.until("the claim's end", async () =>
    (await client.cancel(id, "stores")).requested ? undefined : true,
  );
});

test("between two attempts: the next attempt, why the last one failed, and when it runs", async () => {
  await using client = await open();
  const { id } = await client.send("stores", "again", { how: "throw" });
  const sentAt = Date.now();
  const waiting = await statusWhile(client, id, "waiting");
  expect(waiting).toEqual({
    id,
    engine: "stores",
    state: "waiting",
    attempt: 2,
    lastError: { code: "EAWAY", message: "amqp://***@h is away", attempt: 1 },
    nextRunAt: expect.any(Date),
    cancelRequested: false,
  });
  const inMs = Number(waiting.nextRunAt) - sentAt;
  // The tiers nearest to a second.
  expect(inMs).toBeGreaterThan(500);
  expect(inMs).toBeLessThan(8_000);
  const done = await statusWhile(client, id, "succeeded");
  expect(done).toMatchObject({ attempt: 2 });
  expect(done).not.toHaveProperty("lastError");
  expect(done).not.toHaveProperty("nextRunAt");
});

test("a job that waits by its own wish says until when, and has no error", async () => {
  await using client = await open();
  const { id } = await client.send("stores", "again", { how: "later" });
  const sentAt = Date.now();
  const waiting = await statusWhile(client, id, "waiting");
  expect(waiting).toMatchObject({ attempt: 1, nextRunAt: expect.any(Date) });
  expect(waiting).not.toHaveProperty("lastError");
  // The tier that is no shorter than what it asked for.
  expect(Math.abs(Number(waiting.nextRunAt) - sentAt - 5_000)).toBeLessThan(2_000);
});

test("an aborted call cancels its job", async () => {
  await using client = await open();
  const id = fleet.newId();
  const started = startOf(id);
  const controller = new AbortController();
  const call = client.call("stores", "hang", {}, { id, signal: controller.signal });
  const settled = expect(call).rejects.toMatchObject({ name: "AbortError" });
  const signal = await started;
  const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
  controller.abort();
  await settled;
  await aborted;
});
