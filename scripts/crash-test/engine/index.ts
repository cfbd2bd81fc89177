/** The engine under test: one action for each way in which a job can behave. */
import { z } from "zod";
import { action, type Batch, defineWorker, type Tx } from "../../../shared/engine/define-worker.ts";
import { Reject, RetryLater } from "../../../shared/engine/errors.ts";
import { reach } from "./steps.ts";

/** No unique constraint anywhere: an effect that happens twice must show. */
export const LEDGER_SQL = `
  CREATE SCHEMA IF NOT EXISTS crash_test;
  CREATE TABLE IF NOT EXISTS crash_test.ledger (
    job_id text NOT NULL, attempt int NOT NULL, worker text NOT NULL
  );
  TRUNCATE crash_test.ledger;`;

const worker = process.env.WORKER_ID ?? "none";
const observerUrl = process.env.OBSERVER_URL ?? "http://127.0.0.1:9";

async function enter(tx: Tx, jobs: readonly { id: string; attempt: number }[]): Promise<void> {
  await tx.query(
    `INSERT INTO crash_test.ledger (job_id, attempt, worker)
     SELECT id, attempt, $3 FROM unnest($1::text[], $2::int[]) AS new (id, attempt)`,
    [jobs.map(({ id }) => id), jobs.map(({ attempt }) => attempt), worker],
  );
  await reach("in-transaction", jobs[0]?.id);
}

/** Wall time that a skewed `Date.now` does not touch. */
const steadyNowMs = () => performance.timeOrigin + performance.now();
const pause = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs));

const Input = z.object({ n: z.int(), pad: z.string().optional() });
/** `run` differs for every run of a handler: an answer or event of a run that did not commit must show. */
const Output = z.object({ job: z.string(), doubled: z.int(), run: z.string() });
const Announced = z.object({ job: z.string(), run: z.string() });
let runs = 0;
const newRun = () => `${worker}/${++runs}`;
const base = { version: 1, output: Output, emits: { "crash.done": Announced } } as const;
const answer = (job: { id: string }, { n }: { n: number }) => ({
  job: job.id,
  doubled: n * 2,
  run: newRun(),
});

export default defineWorker({
  name: "crash",
  concurrency: 32,
  timeoutMs: 15_000,
  maxAttempts: 3,
  actions: {
    /** Returns a value; committed in groups. */
    plain: action({
      ...base,
      input: Input,
      async handle(input, job) {
        if (input.n % 2 === 0) job.emit("crash.done", { job: job.id, run: newRun() });
        return answer(job, input);
      },
    }),
    /** Writes in the transaction of its result. */
    ledger: action({
      version: 1,
      output: Output,
      emits: { "crash.done": Announced, "crash.chained": Announced },
      input: Input.extend({ chain: z.boolean().optional() }),
      async handle(input, job) {
        await enter(await job.tx(), [job]);
        job.emit(input.chain ? "crash.chained" : "crash.done", { job: job.id, run: newRun() });
        return answer(job, input);
      },
    }),
    /** Writes for many jobs in one transaction; a poisoned job must fail alone. */
    batch: action({
      ...base,
      input: Input.extend({ poison: z.boolean().optional() }),
      async handleBatch(jobs, batch: Batch) {
        await enter(batch.tx, jobs);
        if (jobs.some(({ input }) => input.poison))
          throw new Error("a poisoned job is in the batch");
        for (const job of jobs) job.emit("crash.done", { job: job.id, run: newRun() });
        return jobs.map((job) => answer(job, job.input));
      },
    }),
    /** Throws in its first attempts, after it has written. */
    flaky: action({
      ...base,
      input: Input.extend({ failures: z.int() }),
      async handle(input, job) {
        await enter(await job.tx(), [job]);
        job.emit("crash.done", { job: job.id, run: newRun() });
        if (job.attempt <= input.failures) throw new Error(`attempt ${job.attempt} fails as asked`);
        return answer(job, input);
      },
    }),
    /** Has an effect outside, under the job's id as its idempotency key. */
    external: action({
      ...base,
      input: Input.extend({ nonce: z.string() }),
      async handle(input, job) {
        const response = await fetch(observerUrl, {
          method: "POST",
          headers: { "idempotency-key": job.id },
          body: input.nonce,
          signal: job.signal,
        });
        if (!response.ok) throw new Error(`the observer answered ${response.status}`);
        await enter(await job.tx(), [job]);
        return answer(job, input);
      },
    }),
    slow: action({
      ...base,
      input: Input.extend({ durationMs: z.int() }),
      async handle(input, job) {
        await pause(input.durationMs);
        return answer(job, input);
      },
    }),
    /** Refuses its job, after it has written. */
    rejects: action({
      ...base,
      input: Input,
      async handle(_input, job): Promise<z.input<typeof Output>> {
        await enter(await job.tx(), [job]);
        job.emit("crash.done", { job: job.id, run: newRun() });
        throw new Reject("refused as asked");
      },
    }),
    /** Asks to be run later, until its time has come. */
    later: action({
      ...base,
      input: Input.extend({ notBeforeMs: z.number() }),
      async handle(input, job) {
        await enter(await job.tx(), [job]);
        const waitMs = input.notBeforeMs - steadyNowMs();
        if (waitMs > 0) throw new RetryLater(waitMs);
        return answer(job, input);
      },
    }),
    /** Exhausts the memory of its process. */
    oom: action({
      ...base,
      input: Input,
      async handle(input, job) {
        await enter(await job.tx(), [job]);
        const hoard: unknown[] = [];
        for (;;) {
          hoard.push(Array.from({ length: 100_000 }, (_, index) => ({ index, input })));
          if (hoard.length > 100_000) return answer(job, input);
        }
      },
    }),
    /** Blocks the event loop. */
    blocks: action({
      ...base,
      input: Input.extend({ durationMs: z.int() }),
      async handle(input, job) {
        await enter(await job.tx(), [job]);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, input.durationMs);
        return answer(job, input);
      },
    }),
    /** What an event of `ledger` runs. */
    consume: action({
      version: 1,
      input: z.object({ from: z.string() }),
      output: z.object({ job: z.string(), run: z.string() }),
      async handle(_input, job) {
        await enter(await job.tx(), [job]);
        return { job: job.id, run: newRun() };
      },
    }),
  },
  on: {
    "crash.chained": {
      action: "consume",
      map: (event) => ({ from: (event as { job: string }).job }),
    },
  },
});
