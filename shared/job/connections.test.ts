/** Waiting for a connection is nobody's handler's time, and no attempt; and jobs do not run one at a time. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { planConnections } from "../engine/connections.ts";
import { action, defineWorker, type WorkerDefinition } from "../engine/define-worker.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { createConnections } from "./transaction.ts";

let running = 0;
let most = 0;

const Input = z.object({ how: z.enum(["tx", "db", "both"]), holdMs: z.number() });

const slow = (name: string, transactions: number, timeoutMs: number) =>
  defineWorker({
    name,
    concurrency: 32,
    timeoutMs,
    transactions,
    actions: {
      hold: action({
        version: 1,
        input: Input,
        output: z.object({ attempt: z.number() }),
        async handle({ how, holdMs }, job) {
          if (how !== "db") await job.tx();
          most = Math.max(most, ++running);
          const query = `select pg_sleep(${holdMs / 1000})`;
          await (how === "tx" ? await job.tx() : job.db).query(query);
          running--;
          return { attempt: job.attempt };
        },
      }),
    },
  });

const few = slow("few", 2, 1_000);
const many = slow("many", 8, 10_000);

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await openTestFleet([few, many]);
});
afterAll(() => fleet?.close());

async function all(engine: string, jobs: number, input: z.input<typeof Input>) {
  running = most = 0;
  const sent = Array.from({ length: jobs }, () => fleet.publish(engine, "hold", input));
  const ids = await Promise.all(sent);
  return Promise.all(ids.map(async (id) => (await fleet.reply(id)).reply));
}

test.each(["tx", "db", "both"] as const)(
  "jobs that wait several times their timeout for a connection succeed at once: %s",
  async (how) => {
    const worker = await fleet.start(few);
    try {
      // 32 jobs in hand, two at a time, 300 ms each: the last one waits for 4.5 s of its 1 s.
      for (const reply of await all("few", 32, { how, holdMs: 300 }))
        expect(reply).toEqual({ status: "succeeded", output: { attempt: 1 } });
      expect(most).toBeGreaterThanOrEqual(2);
      const metrics = await (await fetch(`http://127.0.0.1:${worker.healthPort}/metrics`)).text();
      const waited = /^engine_connection_wait_seconds_total\{[^}]*\} (\S+)$/m.exec(metrics)?.[1];
      expect(Number(waited)).toBeGreaterThan(10);
    } finally {
      await worker.stop();
    }
  },
);

test("a handler that is itself too slow in its transaction still times out", async () => {
  const worker = await fleet.start({ ...few, maxAttempts: 1 });
  const id = await fleet.publish("few", "hold", { how: "tx", holdMs: 3_000 });
  expect((await fleet.reply(id)).reply).toMatchObject({
    error: { code: "attempts_exhausted", message: expect.stringContaining("longer than 1000 ms") },
  });
  await worker.stop();
});

test("as many transactions run at once as the definition says", async () => {
  const worker = await fleet.start(many);
  const replies = await all("many", 64, { how: "tx", holdMs: 100 });
  expect(replies.every(({ status }) => status === "succeeded")).toBe(true);
  expect(most).toBe(8);
  await worker.stop();
});

test("reads and transactions together never wait in the pool, whose patience ends", async () => {
  const connectionString = fleet.config.DATABASE_URL;
  const pool = new pg.Pool({ connectionString, max: 4, connectionTimeoutMillis: 500 });
  const connections = createConnections({ pool, poolMax: 4, transactions: 2, onWaited() {} });
  try {
    const read = () => connections.query(["select pg_sleep(1.5)"]);
    const reads = [read(), read(), read()];
    const begun = [connections.begin(5_000), connections.begin(5_000)];
    // Later ones don't overtake a transaction that waits.
    const later = [read(), read()];
    const settled = await Promise.allSettled(begun);
    for (const end of settled) if (end.status === "fulfilled") end.value.release(true);
    expect(settled.filter(({ status }) => status === "rejected")).toEqual([]);
    await Promise.all([...reads, ...later]);
    // What each of them gave back is there again.
    const [first, second] = await Promise.all([connections.begin(5_000), connections.begin(5_000)]);
    await connections.query(["select 1"]);
    first.release(true);
    second.release(true);
  } finally {
    await pool.end();
  }
});

describe("the plan", () => {
  const definition: WorkerDefinition = { ...many, transactions: undefined as never };
  const without = { ...definition };
  delete without.transactions;

  test("is eight transactions, a read and the commits where nothing is said", () => {
    expect(planConnections(without, undefined)).toEqual({ transactions: 8, poolMax: 10 });
  });

  test("never has more transactions than jobs", () => {
    expect(planConnections({ ...without, concurrency: 3 }, undefined).transactions).toBe(3);
  });

  test("has a transaction for each action with batches, or as many as the definition says", () => {
    const batch = { ...(Object.values(many.actions)[0] as object), handle: undefined };
    const batched = { ...batch, handleBatch: () => [] } as never;
    const three = { ...many, transactions: 0, actions: { a: batched, b: batched, c: batched } };
    expect(planConnections(three, undefined)).toEqual({ transactions: 3, poolMax: 4 });
    expect(planConnections({ ...three, batches: 1 }, undefined).transactions).toBe(1);
    expect(planConnections({ ...three, batches: 9 }, undefined).transactions).toBe(3);
  });

  test("refuses a pool that is too small, and says what to do", async () => {
    expect(() => planConnections(without, 2)).toThrow(/DATABASE_POOL_MAX=2 .* need 10\. Raise it/);
    await expect(fleet.start(many, { DATABASE_POOL_MAX: "2" })).rejects.toMatchObject({
      name: "StartFailure",
      variable: "DATABASE_POOL_MAX",
      temporary: false,
    });
  });
});
