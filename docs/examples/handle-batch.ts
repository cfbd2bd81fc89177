/** `handleBatch`: many jobs in one transaction and one statement, for work that is a set. */
import { action, defineWorker } from "@tl-engine/shared";
import { z } from "zod";

/** An engine keeps it in `migrations/001_seen.sql`, in its own schema, `engine_<name>`. */
export const MIGRATION =
  "create table if not exists engine_example.seen (item text not null, seen_at timestamptz not null)";

export default defineWorker({
  name: "visits",
  concurrency: 64, // also the most jobs of one batch
  timeoutMs: 10_000,
  actions: {
    record: action({
      version: 1,
      input: z.object({ item: z.string().min(1).max(100), at: z.iso.datetime() }),
      output: z.object({ together: z.int() }),
      async handleBatch(jobs, { tx }) {
        await tx.query(
          "insert into engine_example.seen (item, seen_at) select * from unnest($1::text[], $2::timestamptz[])",
          [jobs.map(({ input }) => input.item), jobs.map(({ input }) => input.at)],
        );
        // One output for each job, in their order. A batch that throws is split until the culprit is alone.
        return jobs.map(() => ({ together: jobs.length }));
      },
    }),
  },
});

/** For `make example NAME=handle-batch`. */
export const jobs = Array.from(
  { length: 10 },
  (_, n) => ["record", { item: `WEB-${n}`, at: new Date().toISOString() }] as const,
);
