/** What a handler leaves running, or another server answers, in its statements: a success is told only with its row, and each failure is an attempt. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker, type Tx } from "../engine/define-worker.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";

const Empty = z.object({});

/** Its second statement reaches Postgres between the result's INSERT and the COMMIT. */
const forget = (tx: Tx) =>
  void tx
    .query("select 1")
    .then(() => tx.query("select 1/0"))
    .catch(() => {});

const careless = defineWorker({
  name: "careless",
  concurrency: 4,
  timeoutMs: 10_000,
  maxAttempts: 1,
  transactions: 2,
  actions: {
    single: action({
      version: 1,
      input: Empty,
      output: Empty,
      async handle(_input, job) {
        forget(await job.tx());
        return {};
      },
    }),
    batch: action({
      version: 1,
      input: Empty,
      output: Empty,
      async handleBatch(jobs, { tx }) {
        forget(tx);
        return jobs.map(() => ({}));
      },
    }),
    remote: action({
      version: 1,
      input: z.object({ code: z.string(), own: z.boolean() }),
      output: Empty,
      async handle({ code, own }, job) {
        const client = own ? await job.tx() : job.db;
        await client.query(
          `do $$ begin raise exception 'the other server is away' using errcode = '${code}'; end $$`,
        );
        return {};
      },
    }),
  },
});

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await openTestFleet([careless]);
  await fleet.start(careless);
});
afterAll(() => fleet?.close());

test.each(["single", "batch"])(
  "a transaction that fails under its COMMIT is an attempt that failed: %s",
  async (name) => {
    const id = await fleet.publish("careless", name, {});
    const { reply } = await fleet.reply(id);
    expect(reply).toMatchObject({
      error: { code: "attempts_exhausted", message: expect.stringContaining("did not await") },
    });
    expect(await fleet.rows(id)).toMatchObject([{ status: "failed" }]);
  },
);

// What postgres_fdw and dblink say of a server that is away, refuses the login, or lacks the database.
test.each([
  ["08001", false],
  ["08006", true],
  ["28P01", false],
  ["3D000", true],
])("another server's trouble is no outage of ours: %s, in a transaction: %s", async (code, own) => {
  const id = await fleet.publish("careless", "remote", { code, own });
  const { reply } = await fleet.reply(id);
  expect(reply).toMatchObject({
    error: { code: "attempts_exhausted", message: "the other server is away" },
  });
});
