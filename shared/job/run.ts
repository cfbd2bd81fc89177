/** The step that runs a job: its handler or its batch, and once more after an outage of Postgres. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Action, WorkerDefinition } from "../engine/define-worker.ts";
import { troubleOf } from "../stores/database.ts";
import type { Commits, Stored } from "./commit.ts";
import { type Handled, handle, type Outage, readError, type Unfinished } from "./handle.ts";
import { type BatchJob, createBatches } from "./handle-batch.ts";
import { JobContext, type Tools } from "./job-context.ts";
import type { LiveJob } from "./live-jobs.ts";
import { isEndOf } from "./outcome.ts";
import type { ResultRow } from "./result-rows.ts";
import { asError } from "./thrown.ts";

export type Ran =
  /** It had no turn. */
  | { kind: "unrun" }
  /** A success that is still to be committed, with others. */
  | { kind: "output"; row: ResultRow }
  /** It committed in a transaction of its own or of its batch, or found its end in Postgres. */
  | { kind: "stored"; stored: Stored }
  | Unfinished;

export const UNRUN: Ran = { kind: "unrun" };
const INTERRUPTED: Ran = { kind: "interrupted" };
/** A job that somebody's open transaction holds up, or that met an outage, runs again no sooner. */
const AGAIN_DELAY_MS = 500;

export interface RunOptions {
  definition: WorkerDefinition;
  commits: Commits;
  tools: Tools;
  log: Logger;
  /** Aborts when the drain is over. */
  signal: AbortSignal;
}

/** A job whose handler only computes has its result at once, without a promise. Rejects only for bugs of our own. */
export type Run = (live: LiveJob) => Ran | Promise<Ran>;

export function createRun(options: RunOptions): Run {
  const { definition, commits, tools, log, signal } = options;
  const batches = new Map(
    Object.values(definition.actions)
      .filter((action) => action.handleBatch !== undefined)
      .map((action: Action) => [
        action,
        createBatches({ action, tools, commits, max: definition.concurrency, log, signal }),
      ]),
  );

  function runOnce(live: LiveJob): Ran | Promise<Ran | Outage> {
    const { job, context } = live;
    const batch = batches.get(job.action);
    if (batch !== undefined) return batch(batchJob(live));
    const handled = handle(job, context, tools.timeoutMs);
    if (handled instanceof Promise) return finish(live, handled);
    // Without a promise nothing was awaited, so Postgres can't have been lost under it.
    if (handled.kind !== "output" || context.transaction !== undefined)
      return finish(live, Promise.resolve(handled));
    context.end(true);
    return { kind: "output", row: succeeded(live, handled.reply) };
  }

  /** Commits what the handler wrote itself, and gives its connection back in any case. */
  async function finish(live: LiveJob, handling: Promise<Handled>): Promise<Ran | Outage> {
    const { context } = live;
    let discard = true;
    try {
      const handled = await handling;
      if (handled.kind !== "output") return handled;
      const row = succeeded(live, handled.reply);
      if (context.transaction === undefined) return { kind: "output", row };
      const own = await commits.commitIn(context.transaction.tx, [row]);
      discard = own.kind === "unknown" || own.kind === "refused";
      switch (own.kind) {
        case "committed":
          return { kind: "stored", stored: { kind: "first", row } };
        case "conflict": {
          const [before] = own.stored.values();
          if (before !== undefined)
            return { kind: "stored", stored: { kind: "before", row: before } };
          return { kind: "outage", error: new Error("the row that was in the way is gone") };
        }
        case "refused":
          return readError(own.error, false);
        case "unknown":
          return { kind: "outage", error: own.error };
      }
    } catch (error) {
      return readFailedCommit(asError(error), context);
    } finally {
      context.end(discard);
    }
  }

  /** From the commit: the handler's own errors came as values. */
  function readFailedCommit(error: Error, context: JobContext): Ran | Outage {
    if (signal.aborted) return INTERRUPTED;
    if (context.transaction?.lost() === true) return { kind: "outage", error };
    switch (troubleOf(error)) {
      case "outage":
      case "contention":
        return { kind: "outage", error };
      case "bad-data": {
        const message = `Postgres refuses the result: ${error.message}`;
        return { kind: "ended", problem: { code: "invalid_output", message } };
      }
      default:
        // Such as a transaction that the handler left failed: the next attempt may not.
        return { kind: "threw", error };
    }
  }

  async function outlive(live: LiveJob, running: Promise<Ran | Outage>): Promise<Ran> {
    let ran = await running;
    for (let outages = 1; ran.kind === "outage"; outages++) {
      const again = await afterOutage(live, ran, outages);
      if (again !== undefined) return again;
      live.context = new JobContext(live.job, tools);
      ran = await runOnce(live);
    }
    return ran;
  }

  /** Waits until Postgres can be used; the end of the job, where it has come meanwhile. */
  async function afterOutage(
    { job }: LiveJob,
    { error }: Outage,
    outages: number,
  ): Promise<Ran | undefined> {
    log.warn({ jobId: job.id, err: error }, "postgres was lost under a job, running it again");
    try {
      if (troubleOf(error) === "contention") await sleep(AGAIN_DELAY_MS, undefined, { signal });
      else await commits.recover(error, outages);
      // Finding no row proves nothing: the job runs again and its INSERT decides.
      const row = await commits.read(job.engine, job.id);
      if (row !== undefined && isEndOf(row, job))
        return { kind: "stored", stored: { kind: "before", row } };
      return signal.aborted ? INTERRUPTED : undefined;
    } catch (failed) {
      if (signal.aborted) return INTERRUPTED;
      throw failed;
    }
  }

  return (live) => {
    const running = runOnce(live);
    return running instanceof Promise ? outlive(live, running) : running;
  };
}

function batchJob(live: LiveJob): BatchJob {
  return { job: live.job, context: live.context, rowOf: (reply) => succeeded(live, reply) };
}

function succeeded({ job, context, startedAtMs }: LiveJob, reply: string): ResultRow {
  return {
    engine: job.engine,
    jobId: job.id,
    generation: job.generation,
    status: "succeeded",
    code: null,
    attempt: job.attempt,
    type: job.type,
    inputHash: job.inputHash,
    reply,
    events: context.events.length === 0 ? null : JSON.stringify(context.events),
    startedAtMs,
  };
}
