/** The bulk lane on a real broker: interactive jobs go before it, and its jobs come back to it. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "./engine/define-worker.ts";
import { RetryLater } from "./engine/errors.ts";
import { openTestFleet, type TestFleet } from "./testing/fleet.ts";
import type { Lane } from "./wire/names.ts";

/** A tenth of the 200,000 that once let others wait for 55 s; one after another they take this worker 40 s. */
const BULK_JOBS = 20_000;
const JOB_MS = 25;

const running = { interactive: 0, bulk: 0 };
const most = { bulk: 0, both: 0 };

const twoLanes = defineWorker({
  name: "two-lanes",
  concurrency: 16,
  timeoutMs: 10_000,
  actions: {
    run: action({
      version: 1,
      input: z.object({ lane: z.enum(["interactive", "bulk"]), waitMs: z.int().default(JOB_MS) }),
      output: z.object({}),
      async handle({ lane, waitMs }, job) {
        running[lane]++;
        most.bulk = Math.max(most.bulk, running.bulk);
        most.both = Math.max(most.both, running.bulk + running.interactive);
        await sleep(waitMs, undefined, { signal: job.signal }).finally(() => running[lane]--);
        return {};
      },
    }),
    later: action({
      version: 1,
      input: z.object({}),
      output: z.object({}),
      handle() {
        throw new RetryLater(1_000);
      },
    }),
  },
});

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await openTestFleet([twoLanes]);
});
afterAll(() => fleet?.close());

const { name } = twoLanes;
const run = (lane: Lane, waitMs?: number, properties = {}) =>
  fleet.publish(name, "run", { lane, waitMs }, { lane, ...properties });
const ready = async (lane: Lane) =>
  (await fleet.channel.checkQueue(fleet.names.queue(name, lane))).messageCount;
const waiting = (count: number, lane: Lane) =>
  fleet.until(`${count} jobs in ${lane}`, async () => (await ready(lane)) === count || undefined);
const purge = async () => {
  for (const lane of ["interactive", "bulk"] as const)
    await fleet.channel.purgeQueue(fleet.names.queue(name, lane));
};

test(`a job behind ${BULK_JOBS} bulk ones waits 2 s at most`, async () => {
  const quiet = { replyTo: undefined };
  for (let sent = 0; sent < BULK_JOBS; sent += 1_000)
    await Promise.all(Array.from({ length: 1_000 }, () => run("bulk", JOB_MS, quiet)));
  const worker = await fleet.start(twoLanes);
  await fleet.until("a full bulk lane", () => running.bulk === 12 || undefined);
  const waitsMs: number[] = [];
  for (let i = 0; i < 10; i++) {
    const startMs = performance.now();
    await fleet.reply(await run("interactive"));
    waitsMs.push(Math.round(performance.now() - startMs));
  }
  await Promise.all(Array.from({ length: 40 }, () => run("interactive")));
  await fleet.until("both lanes at once", () => most.both === 16 || undefined);
  expect(await ready("bulk"), "bulk jobs that still waited").toBeGreaterThan(BULK_JOBS / 2);
  expect(Math.max(...waitsMs), `waits of ${waitsMs.join(", ")} ms`).toBeLessThan(2_000);
  expect(most).toEqual({ bulk: 12, both: 16 });
  await worker.stop();
  await purge();
}, 120_000);

test("a bulk job that comes back over a tier returns to its lane", async () => {
  const worker = await fleet.start(twoLanes);
  await fleet.publish(name, "later", {}, { lane: "bulk" });
  const tier = fleet.names.delay("1s");
  await fleet.until(
    "the job in the tier",
    async () => (await fleet.channel.checkQueue(tier)).messageCount === 1 || undefined,
  );
  await worker.stop();
  await waiting(1, "bulk");
  expect(await ready("interactive")).toBe(0);
  await purge();
});

test("a worker that stops hands back at once what waits for its turn", async () => {
  const single = { ...twoLanes, concurrency: 1 };
  const worker = await fleet.start(single);
  await run("bulk", 3_000);
  await fleet.until("a running bulk job", () => running.bulk === 1 || undefined);
  await run("interactive");
  await sleep(300);
  expect(await ready("interactive"), "it waits in the worker").toBe(0);
  const startMs = performance.now();
  const stopped = worker.stop();
  await waiting(1, "interactive");
  expect(performance.now() - startMs).toBeLessThan(2_000);
  expect(running).toEqual({ interactive: 0, bulk: 1 });
  await stopped;
  await purge();
});

test("a worker that lost its bulk queue says that it is not ready", async () => {
  const worker = await fleet.start(twoLanes);
  expect(worker.notReady()).toBeUndefined();
  await fleet.channel.deleteQueue(fleet.names.queue(name, "bulk"));
  await fleet.until("a worker that is not ready", () => worker.notReady());
  expect(worker.notReady()).toBe("no consumer on the queue");
  await worker.stop();
});
