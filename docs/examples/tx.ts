/** `job.tx()`: what an engine writes itself lands together with the job's result, once, or not at all. */
import { action, defineWorker, Reject } from "@tl-engine/shared";
import { z } from "zod";

/** An engine keeps it in `migrations/001_totals.sql` beside its `index.ts`, in its own schema, `engine_<name>`. */
export const MIGRATION =
  "create table if not exists engine_example.totals (counter text primary key, total bigint not null)";

const MAX_TOTAL = 1_000;

export default defineWorker({
  name: "counters",
  concurrency: 16,
  timeoutMs: 10_000,
  transactions: 4, // jobs that hold a transaction at once; the others wait for theirs
  actions: {
    add: action({
      version: 1,
      input: z.object({ counter: z.string().min(1).max(100), by: z.int().min(1).max(MAX_TOTAL) }),
      output: z.object({ total: z.int() }),
      async handle({ counter, by }, job) {
        const tx = await job.tx();
        const { rows } = await tx.query(
          `insert into engine_example.totals as t (counter, total) values ($1, $2)
           on conflict (counter) do update set total = t.total + excluded.total
           returning total::int`,
          [counter, by],
        );
        const [{ total }] = rows;
        // Whatever is thrown takes the writes back.
        if (total > MAX_TOTAL) throw new Reject(`${counter} would pass ${MAX_TOTAL}`);
        return { total };
      },
    }),
  },
});

/** For `make example NAME=tx`. */
export const jobs = [
  ["add", { counter: "visits", by: 400 }],
  ["add", { counter: "visits", by: 500 }],
  ["add", { counter: "visits", by: 200 }],
] as const;
