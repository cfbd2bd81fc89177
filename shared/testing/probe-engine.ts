/** An engine that does what its input says, for tests of the runtime. */
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";
import { Reject, RetryLater } from "../engine/errors.ts";

const Input = z.object({
  do: z
    .enum([
      "return",
      "reject",
      "throw",
      "later",
      "hang",
      "wait",
      "own-writes",
      "big",
      "bad-output",
      "secret",
    ])
    .default("return"),
  value: z.string().default(""),
  /** Counted runs that throw before one returns. */
  failures: z.number().int().min(0).default(0),
  waitMs: z.number().int().min(0).default(0),
});

/** How often each job ran, by id; only for workers in the test's own process. */
export const runs = new Map<string, number>();

export const probe = defineWorker({
  name: "probe",
  concurrency: 16,
  timeoutMs: 3_000,
  maxAttempts: 3,
  actions: {
    run: action({
      version: 1,
      input: Input,
      output: z.object({ value: z.string(), attempt: z.number() }),
      emits: { "probe.ran": z.object({ id: z.string(), value: z.string() }) },
      maxOutputBytes: 10_000,
      async handle(input, job) {
        const ran = (runs.get(job.id) ?? 0) + 1;
        runs.set(job.id, ran);
        if (job.attempt <= input.failures) throw new Error(`attempt ${job.attempt} fails as told`);
        const output = { value: input.value, attempt: job.attempt };
        switch (input.do) {
          case "reject":
            throw new Reject("told to", { details: [{ path: "do", message: "reject" }] });
          case "throw":
            throw new Error("told to throw");
          case "secret":
            throw new Reject("could not reach amqp://user:hunter2@host/");
          case "later":
            if (ran === 1) throw new RetryLater(1_000);
            break;
          case "hang":
            await new Promise((_, reject) =>
              job.signal.addEventListener("abort", () => reject(job.signal.reason)),
            );
            break;
          case "wait":
            for (let waitedMs = 0; waitedMs < input.waitMs; waitedMs += 50) {
              job.progress(waitedMs / input.waitMs, "waiting");
              await new Promise((resolve) => setTimeout(resolve, 50));
              job.signal.throwIfAborted();
            }
            break;
          case "own-writes": {
            const tx = await job.tx();
            await tx.query("insert into engine_probe.ledger (job_id, worker) values ($1, $2)", [
              job.id,
              input.value,
            ]);
            if (input.waitMs > 0) await new Promise((resolve) => setTimeout(resolve, input.waitMs));
            break;
          }
          case "big":
            output.value = "x".repeat(20_000);
            break;
          case "bad-output":
            return { value: 1, attempt: job.attempt } as unknown as typeof output;
        }
        job.emit("probe.ran", { id: job.id, value: input.value });
        return output;
      },
    }),
    batch: action({
      version: 1,
      input: z.object({ value: z.string(), spoil: z.boolean().default(false) }),
      output: z.object({ value: z.string() }),
      emits: { "probe.batched": z.object({ id: z.string() }) },
      async handleBatch(jobs, batch) {
        for (const { id, input } of jobs) {
          if (input.spoil) throw new Error("spoiled as told");
          await batch.tx.query("insert into engine_probe.ledger (job_id, worker) values ($1, $2)", [
            id,
            "batch",
          ]);
        }
        return jobs.map(({ id, input, emit }) => {
          emit("probe.batched", { id });
          return { value: input.value };
        });
      },
    }),
  },
  on: {
    "probe.ran": {
      action: "batch",
      map: (event) => ({ value: `heard ${(event as { id: string }).id}` }),
    },
  },
});

/** The ledger has no unique key, so that an effect that happens twice shows. */
export const PROBE_LEDGER =
  "create schema if not exists engine_probe; create table if not exists engine_probe.ledger (job_id text, worker text)";
