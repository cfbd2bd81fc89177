/** The engine under test: one action for each way in which a job can behave. */
import { z } from "zod";
import {
  action,
  type Batch,
  defineWorker,
  type Tx,
} from "../../../../shared/engine/define-worker.ts";
import { Reject, RetryLater } from "../../../../shared/engine/errors.ts";
import { newRun, steadyNowMs, withJournal, worker } from "./journal.ts";
import { throwOddly } from "./odd.ts";
import { reach } from "./steps.ts";

/** No unique constraint anywhere: an effect that happens twice must show. */
export const LEDGER_SQL = `
  CREATE SCHEMA IF NOT EXISTS crash_test;
  CREATE TABLE IF NOT EXISTS crash_test.ledger (
    job_id text NOT NULL, attempt int NOT NULL, worker text NOT NULL
  );
  TRUNCATE crash_test.ledger;`;

const observerUrl = process.env.OBSERVER_URL ?? "http://127.0.0.1:9";

async function enter(tx: Tx, jobs: readonly { id: string; attempt: number }[]): Promise<void> {
  await tx.query(
    `INSERT INTO crash_test.ledger (job_id, attempt, worker)
     SELECT id, attempt, $3 FROM unnest($1::text[], $2::int[]) AS new (id, attempt)`,
    [jobs.map(({ id }) => id), jobs.map(({ attempt }) => attempt), worker],
  );
  await reach("in-transaction", jobs[0]?.id);
}

/** Ends with the job: a caller's cancellation must not leave it running. */
const pause = (durationMs: number, signal?: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, durationMs);
    signal?.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });

/** `text` is each job's own, and comes back in its answer: nobody else's can pass for it. */
const Input = z.object({
  n: z.int(),
  text: z.string(),
  pad: z.string().optional(),
  /** Events to announce. */
  events: z.int().optional(),
});
/** `run` differs for every run of a handler: an answer or event of a run that did not commit must show. */
const Output = z.object({
  job: z.string(),
  doubled: z.int(),
  text: z.string(),
  run: z.string(),
});
const Announced = z.object({ job: z.string(), index: z.int(), text: z.string(), run: z.string() });
const emits = { "crash.done": Announced, "crash.also": Announced, "crash.chained": Announced };
const base = { version: 1, output: Output, emits } as const;
const answer = (job: { id: string }, { n, text }: { n: number; text: string }) => ({
  job: job.id,
  doubled: n * 2,
  text,
  run: newRun(),
});

interface Announcer {
  id: string;
  emit(type: keyof typeof emits, data: z.input<typeof Announced>): void;
}

/** Two types in turn, and a chained one at the end where it is asked for. */
function announce(job: Announcer, { events = 0, text }: z.output<typeof Input>, chain = false) {
  for (let index = 0; index < events; index++) {
    const last = chain && index === events - 1;
    const type = last ? "crash.chained" : index % 2 === 0 ? "crash.done" : "crash.also";
    job.emit(type, { job: job.id, index, text, run: newRun() });
  }
}

const definition = defineWorker({
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
        announce(job, input);
        return answer(job, input);
      },
    }),
    /** Writes in the transaction of its result. */
    ledger: action({
      ...base,
      input: Input.extend({ chain: z.boolean().optional() }),
      async handle(input, job) {
        await enter(await job.tx(), [job]);
        announce(job, input, input.chain);
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
        for (const job of jobs) announce(job, job.input);
        return jobs.map((job) => answer(job, job.input));
      },
    }),
    /** Throws in its first attempts, after it has written. */
    flaky: action({
      ...base,
      input: Input.extend({ failures: z.int() }),
      async handle(input, job) {
        await enter(await job.tx(), [job]);
        announce(job, input);
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
        await pause(input.durationMs, job.signal);
        return answer(job, input);
      },
    }),
    /** Refuses its job after it has written; until it is mended, where it is, and then fails as often as asked. */
    rejects: action({
      ...base,
      input: Input.extend({ mendsAtMs: z.number().optional(), failures: z.int().optional() }),
      async handle(input, job) {
        await enter(await job.tx(), [job]);
        announce(job, input);
        if (steadyNowMs() < (input.mendsAtMs ?? Number.POSITIVE_INFINITY))
          throw new Reject("refused as asked");
        if (job.attempt <= (input.failures ?? 0)) throw new Error(`attempt ${job.attempt} fails`);
        return answer(job, input);
      },
    }),
    /** Throws what no handler should. */
    odd: action({
      ...base,
      input: Input.extend({ oddity: z.string() }),
      handle: (input, job) => throwOddly(input.oddity, () => answer(job, input)),
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
    /** Its input is large, and held while it waits. */
    heavy: action({
      ...base,
      input: Input.extend({ durationMs: z.int() }),
      maxInputBytes: 8_388_608,
      async handle(input, job) {
        await enter(await job.tx(), [job]);
        await pause(input.durationMs, job.signal);
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

export default withJournal(definition);
