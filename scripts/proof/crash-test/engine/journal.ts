/**
 * Inside a worker process: writes down when each run of a handler began and ended, past all services, in a
 * file that outlives the process. One machine has one clock, so runs of different workers can be compared.
 */
import { appendFileSync } from "node:fs";
import type { WorkerDefinition } from "../../../../shared/engine/define-worker.ts";

export type RunNote =
  | {
      kind: "start";
      at: number;
      worker: string;
      run: string;
      jobId: string;
      attempt: number;
      skewMs: number;
    }
  | { kind: "end"; at: number; run: string; ended: "returned" | "threw" }
  /** The process stood still from `from` to `at`: no heartbeat can have gone out. */
  | { kind: "stall"; at: number; worker: string; from: number };

const file = process.env.RUN_LOG;
export const worker = process.env.WORKER_ID ?? "none";
const skewMs = Number(process.env.CLOCK_SKEW_MS ?? 0);

/** Wall time that a skewed `Date.now` does not touch. */
export const steadyNowMs = () => performance.timeOrigin + performance.now();

let runs = 0;
export const newRun = () => `${worker}/${++runs}`;

function note(entry: RunNote): void {
  if (file) appendFileSync(file, `${JSON.stringify(entry)}\n`);
}

const LOOK_MS = 100;
/** Shorter ones cost no lease. */
const STALL_MS = 400;

const noteStall = (from: number, at: number) => note({ kind: "stall", at, worker, from });

/** Tells when the event loop stood still. Returns the function that ends it. */
export function watchStalls(tell = noteStall): () => void {
  let last = steadyNowMs();
  const timer = setInterval(() => {
    const at = steadyNowMs();
    if (at - last > STALL_MS) tell(last, at);
    last = at;
  }, LOOK_MS).unref();
  return () => clearInterval(timer);
}

function began({ id, attempt }: { id: string; attempt: number }) {
  const run = newRun();
  note({ kind: "start", at: steadyNowMs(), worker, run, jobId: id, attempt, skewMs });
  return (ended: "returned" | "threw") => note({ kind: "end", at: steadyNowMs(), run, ended });
}

/** Runs `work` and tells when it has ended, however it does. */
function noted<Value>(
  jobs: readonly { id: string; attempt: number }[],
  work: () => Value | Promise<Value>,
): Value | Promise<Value> {
  const ends = jobs.map(began);
  const end = (ended: "returned" | "threw") => {
    for (const one of ends) one(ended);
  };
  try {
    const value = work();
    if (!(value instanceof Promise)) {
      end("returned");
      return value;
    }
    return value.then(
      (done) => {
        end("returned");
        return done;
      },
      (error) => {
        end("threw");
        throw error;
      },
    );
  } catch (error) {
    end("threw");
    throw error;
  }
}

/** The same worker, with every run of its handlers in the journal. */
export function withJournal(definition: WorkerDefinition): WorkerDefinition {
  const actions = Object.entries(definition.actions).map(([name, action]) => {
    const { handle, handleBatch } = action;
    const wrapped = handle
      ? {
          ...action,
          handle: (input: unknown, job: never) => noted([job], () => handle(input, job)),
        }
      : {
          ...action,
          handleBatch: (jobs: never[], batch: never) =>
            noted(jobs, () => handleBatch?.(jobs, batch)),
        };
    return [name, wrapped];
  });
  return { ...definition, actions: Object.fromEntries(actions) };
}
