/** The step that runs a job: its handler or its batch, and once more after an outage of Postgres. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Action, WorkerDefinition } from "../engine/define-worker.ts";
import { troubleOf } from "../stores/database.ts";
import type { Commits, Stored } from "./commit.ts";
import { type Handled, handle, type Outage, readError, type Unfinished } from "./handle.ts";
import { type BatchJob, type BatchRan, createBatches } from "./handle-batch.ts";
import { Aborted, JobContext, type Tools } from "./job-context.ts";
import type { LiveJob } from "./live-jobs.ts";
import { afterFilesOutage, discardFiles } from "./lost-files.ts";
import { isEndOf } from "./outcome.ts";
import type { Struggle } from "./recovery.ts";
import type { ResultRow } from "./result-rows.ts";
import { Rounds } from "./rounds.ts";
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
/** A handler that loses its own session so often, while others keep theirs, ends it itself: each further time counts. */
const MAX_RERUNS = 8;

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
  const runner = new Runner(options);
  return (live) => runner.run(live);
}

class Runner {
  readonly #options: RunOptions;
  readonly #rounds = new Rounds();
  readonly #batches: Map<Action, (job: BatchJob) => Promise<BatchRan>>;

  constructor(options: RunOptions) {
    this.#options = options;
    const { definition, signal, ...rest } = options;
    const max = definition.concurrency;
    const batched = Object.values(definition.actions).filter(
      (action) => action.handleBatch !== undefined,
    );
    this.#batches = new Map(
      batched.map((action: Action) => [action, createBatches({ ...rest, action, max, signal })]),
    );
  }

  run(live: LiveJob): Ran | Promise<Ran> {
    const running = this.#rounds.isOver()
      ? this.#rounds.next().then(() => this.#runOnce(live))
      : this.#runOnce(live);
    return running instanceof Promise ? this.#outlive(live, running) : running;
  }

  #runOnce(live: LiveJob): Ran | Promise<Ran | Outage> {
    const { tools } = this.#options;
    const { job, context } = live;
    const batch = this.#batches.get(job.action);
    if (batch !== undefined) return batch(batchJob(live));
    const handled = handle(job, context, tools.timeoutMs);
    if (handled instanceof Promise) return this.#finish(live, handled);
    // Without a promise nothing was awaited, so Postgres can't have been lost under it.
    if (handled.kind !== "output" || context.transaction !== undefined || context.ownFiles)
      return this.#finish(live, Promise.resolve(handled));
    context.end(true);
    return { kind: "output", row: succeeded(live, handled.reply) };
  }

  /** Commits what the handler wrote itself, and gives its connection back in any case. */
  async #finish(live: LiveJob, handling: Promise<Handled>): Promise<Ran | Outage> {
    const ran = await this.#commitOwn(live, handling);
    const isFirst = ran.kind === "stored" && ran.stored.kind === "first";
    // Also where no answer to the commit came: what it kept stays.
    if (!isFirst) await discardFiles(live.context.ownFiles);
    return ran;
  }

  async #commitOwn(live: LiveJob, handling: Promise<Handled>): Promise<Ran | Outage> {
    const { commits, log } = this.#options;
    const { context } = live;
    let discard = true;
    try {
      const handled = await handling;
      if (handled.kind !== "output") return await afterFilesOutage(handled, context.ownFiles, log);
      const row = succeeded(live, handled.reply);
      await context.ownFiles?.keep(() => context.tx());
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
          return { kind: "outage", error: own.error, isOurs: true };
      }
    } catch (error) {
      return this.#readFailedCommit(asError(error), context);
    } finally {
      context.end(discard);
    }
  }

  /** From the commit: the handler's own errors came as values. */
  #readFailedCommit(error: Error, context: JobContext): Ran | Outage {
    const { signal } = this.#options;
    if (signal.aborted) return INTERRUPTED;
    if (error instanceof Aborted) return readError(error, false);
    if (context.transaction?.lost() === true) return { kind: "outage", error };
    switch (troubleOf(error)) {
      case "outage":
      case "contention":
        return { kind: "outage", error, isOurs: true };
      case "bad-data": {
        const message = `Postgres refuses the result: ${error.message}`;
        return { kind: "ended", problem: { code: "invalid_output", message } };
      }
      default:
        // Such as a transaction that the handler left failed: the next attempt may not.
        return { kind: "threw", error };
    }
  }

  async #outlive(live: LiveJob, running: Promise<Ran | Outage>): Promise<Ran> {
    const { commits, tools } = this.#options;
    let ran = await running;
    if (ran.kind !== "outage") return ran;
    const struggle = commits.struggle();
    let reruns = 0;
    try {
      while (ran.kind === "outage") {
        if (!ran.isOurs && ++reruns > MAX_RERUNS) return { kind: "threw", error: ran.error };
        const again = await this.#afterOutage(live, ran, struggle);
        if (again !== undefined) return again;
        live.context = new JobContext(live.job, tools);
        ran = await this.#runOnce(live);
      }
      return ran;
    } finally {
      struggle.end();
    }
  }

  /** I4. Waits, uncounted, until Postgres can be used; the end of the job, where it has come meanwhile. */
  async #afterOutage(
    { job }: LiveJob,
    { error, isOurs = false }: Outage,
    struggle: Struggle,
  ): Promise<Ran | undefined> {
    const { commits, log, signal } = this.#options;
    log.warn({ jobId: job.id, err: error }, "postgres was lost under a job, running it again");
    try {
      if (troubleOf(error) === "contention") await sleep(AGAIN_DELAY_MS, undefined, { signal });
      else await struggle.wait(error, isOurs);
      // I7. Finding no row proves nothing: the job runs again and its INSERT decides.
      const row = await commits.read(job.engine, job.id);
      if (row !== undefined && isEndOf(row, job))
        return { kind: "stored", stored: { kind: "before", row } };
      return signal.aborted ? INTERRUPTED : undefined;
    } catch (failed) {
      if (signal.aborted) return INTERRUPTED;
      throw failed;
    }
  }
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
    publisher: job.publisher ?? null,
    appId: job.appId ?? null,
    reply,
    events: context.events.length === 0 ? null : JSON.stringify(context.events),
    startedAtMs,
  };
}
