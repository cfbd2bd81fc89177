/** Runs jobs of an action with `handleBatch`: many in one transaction, split when one of them spoils it. */
import type { Logger } from "pino";
import type { Action, Batch, BatchItem } from "../engine/define-worker.ts";
import { bindFiles } from "../engine/file-schema.ts";
import { JobFiles } from "../files/job-files.ts";
import { isConnectionLoss, troubleOf } from "../stores/database.ts";
import { takeGroup } from "./coalesce.ts";
import type { Commits, Stored } from "./commit.ts";
import { encodeOutput, type Handled, type Outage, readError, type Unfinished } from "./handle.ts";
import {
  Aborted,
  handlersFiles,
  handlersRedis,
  type JobContext,
  type Tools,
} from "./job-context.ts";
import { afterFilesOutage, discardFiles } from "./lost-files.ts";
import type { ReceivedJob } from "./receive.ts";
import { DEFAULT_MAX_INPUT_BYTES } from "./reception.ts";
import { keyOf, type ResultRow, StatementLost } from "./result-rows.ts";

export interface BatchJob {
  job: ReceivedJob;
  context: JobContext;
  /** The row that its output becomes. */
  rowOf(reply: string): ResultRow;
}

/** What becomes of one job of a batch. */
export type BatchRan = Unfinished | Outage | { kind: "stored"; stored: Stored };

export interface BatchOptions {
  action: Action;
  tools: Tools;
  commits: Commits;
  max: number;
  log: Logger;
  /** Aborts when the drain is over. */
  signal: AbortSignal;
}

interface Waiting extends BatchJob {
  /** Of its latest run. */
  files?: JobFiles | undefined;
  settle(ran: BatchRan): void;
}

type Tried =
  | { kind: "done" }
  /** Rolled back; these jobs have their end, the others must run again. */
  | { kind: "without"; settled: Set<Waiting> }
  | { kind: "failed"; error: unknown; databaseLost: boolean };

/** Returns a function that adds one job to the next batch. */
export function createBatches(options: BatchOptions): (job: BatchJob) => Promise<BatchRan> {
  const batches = new Batches(options);
  return (job) => batches.add(job);
}

class Batches {
  readonly #options: BatchOptions;
  #waiting: Waiting[] = [];
  #running = false;

  constructor(options: BatchOptions) {
    this.#options = options;
  }

  add(job: BatchJob): Promise<BatchRan> {
    return new Promise((resolve) => {
      this.#waiting.push({ ...job, settle: resolve });
      if (this.#running) return;
      this.#running = true;
      process.nextTick(() => this.#drain());
    });
  }

  async #drain(): Promise<void> {
    const { max, action } = this.#options;
    const limits = {
      max,
      keyOf: ({ job }: Waiting) => job.id,
      // No more than a single job may have.
      maxBytes: action.maxInputBytes ?? DEFAULT_MAX_INPUT_BYTES,
      bytesOf: ({ job }: Waiting) => job.delivery.message.content.length,
    };
    while (this.#waiting.length > 0) {
      const { group: batch, rest } = takeGroup(this.#waiting, limits);
      this.#waiting = rest;
      await this.#solve(batch).catch((error) => settleAll(batch, { kind: "outage", error }));
    }
    this.#running = false;
  }

  async #solve(batch: Waiting[]): Promise<void> {
    const { log, signal } = this.#options;
    let left = batch;
    while (left.length > 0) {
      const tried = await this.#attempt(left);
      if (tried.kind === "done") return;
      if (tried.kind === "without") left = left.filter((entry) => !tried.settled.has(entry));
      else if (await this.#settleLost(left, tried)) return;
      else if (left.length === 1 || tried.databaseLost || signal.aborted) {
        settleAll(left, readError(tried.error, tried.databaseLost));
        return;
      } else {
        log.warn({ jobs: left.length, err: tried.error }, "a batch failed, splitting it");
        const middle = Math.ceil(left.length / 2);
        await this.#solve(left.slice(0, middle));
        left = left.slice(middle);
      }
    }
  }

  /** Where S3 stays away from everybody, no job of the batch is to blame. */
  async #settleLost(left: Waiting[], tried: Tried): Promise<boolean> {
    if (tried.kind !== "failed" || tried.databaseLost) return false;
    const lost = left.find(({ files }) => files?.lost !== undefined)?.files;
    const failed = readError(tried.error, false);
    const ran = await afterFilesOutage(failed, lost, this.#options.log);
    if (ran === failed) return false;
    settleAll(left, ran);
    return true;
  }

  async #attempt(batch: Waiting[]): Promise<Tried> {
    const tried = await this.#tryOnce(batch);
    // Also where no answer to the commit came: what it kept stays.
    if (tried.kind !== "done") await Promise.all(batch.map(({ files }) => discardFiles(files)));
    return tried;
  }

  async #tryOnce(batch: Waiting[]): Promise<Tried> {
    const { tools, commits } = this.#options;
    let transaction: Awaited<ReturnType<typeof tools.connections.begin>> | undefined;
    let discard = true;
    try {
      // I4. Before the clock starts: waiting for a connection is not the handler's time.
      transaction = await tools.connections.begin(tools.timeoutMs);
      const outputs = await this.#runBatch(batch, transaction.tx);
      const encoded = batch.map((entry, i) => encodeOutput(entry.job.action, outputs[i]));
      const spoiled = settleSpoiled(batch, encoded);
      if (spoiled.size > 0) return { kind: "without", settled: spoiled };
      const rows = batch.map((entry, i) => entry.rowOf((encoded[i] as { reply: string }).reply));
      const { tx } = transaction;
      for (const { files } of batch) await files?.keep(async () => tx);
      const commit = await commits.commitIn(tx, rows);
      discard = commit.kind === "unknown";
      // I7. The whole batch runs again.
      if (commit.kind === "unknown")
        return { kind: "failed", error: commit.error, databaseLost: true };
      if (commit.kind === "refused")
        return { kind: "failed", error: commit.error, databaseLost: false };
      if (commit.kind === "conflict")
        return { kind: "without", settled: settleStored(batch, commit.stored) };
      batch.forEach((entry, i) => {
        entry.settle({ kind: "stored", stored: { kind: "first", row: rows[i] as ResultRow } });
      });
      return { kind: "done" };
    } catch (error) {
      const lost =
        error instanceof StatementLost ||
        (isConnectionLoss(error) && (transaction === undefined || transaction.lost()));
      const contended = troubleOf(error) === "contention";
      return { kind: "failed", error, databaseLost: lost || (contended && batch.length === 1) };
    } finally {
      transaction?.release(discard);
    }
  }

  async #runBatch(batch: Waiting[], tx: Batch["tx"]): Promise<unknown[]> {
    const { action, tools, signal } = this.#options;
    signal.throwIfAborted();
    // No AbortSignal.any: while it has a listener, Node keeps its signal for as long as the worker lives.
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    aborted.catch(() => {});
    const ending = new AbortController();
    const end = (reason: unknown) => {
      ending.abort(reason);
      reject(reason);
    };
    const tooLong = `the batch took longer than ${tools.timeoutMs} ms`;
    const timer = setTimeout(() => end(new Aborted("timeout", tooLong)), tools.timeoutMs);
    const onStop = () => end(signal.reason);
    signal.addEventListener("abort", onStop, { once: true });
    try {
      const shared: Batch = {
        tx,
        signal: ending.signal,
        log: tools.log,
        db: {
          query: ((...args: unknown[]) => tools.connections.query(args)) as Batch["db"]["query"],
        },
        get redis() {
          return handlersRedis(tools);
        },
        keyPrefix: tools.keyPrefix,
        env: tools.env,
      };
      const work = action.handleBatch?.(
        batch.map((entry) => itemOf(entry, shared, tools)),
        shared,
      );
      const outputs = await Promise.race([work, aborted]);
      if (!Array.isArray(outputs) || outputs.length !== batch.length)
        throw new TypeError(`handleBatch must return ${batch.length} outputs, one per job`);
      return outputs;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onStop);
    }
  }
}

function itemOf(entry: Waiting, { db, signal }: Batch, tools: Tools): BatchItem<unknown> {
  const { job, context } = entry;
  entry.files = undefined;
  const filesOf = () => {
    entry.files ??= new JobFiles(handlersFiles(tools), { id: job.id, db, signal: () => signal });
    return entry.files;
  };
  if (tools.files !== undefined) bindFiles(job.input, (reference) => filesOf().read(reference));
  // A batch that runs again announces afresh.
  context.events.length = 0;
  return {
    id: job.id,
    attempt: job.attempt,
    publisher: job.publisher,
    deadline: context.deadline,
    input: job.input,
    get files() {
      return filesOf();
    },
    emit: ((type: string, data: unknown) => context.emit(type, data)) as BatchItem<unknown>["emit"],
    later: (action, input, options) => context.later(action, input, options),
  };
}

/** Ends the jobs whose output can't be stored. */
function settleSpoiled(batch: Waiting[], encoded: Handled[]): Set<Waiting> {
  const spoiled = new Set<Waiting>();
  batch.forEach((entry, i) => {
    const ran = encoded[i] as Handled;
    if (ran.kind === "output") return;
    entry.settle(ran);
    spoiled.add(entry);
  });
  return spoiled;
}

/** Ends the jobs that had a row before. */
function settleStored(batch: Waiting[], stored: Map<string, ResultRow>): Set<Waiting> {
  const settled = new Set<Waiting>();
  for (const entry of batch) {
    const row = stored.get(keyOf({ engine: entry.job.engine, jobId: entry.job.id }));
    if (row === undefined) continue;
    entry.settle({ kind: "stored", stored: { kind: "before", row } });
    settled.add(entry);
  }
  return settled;
}

function settleAll(batch: Waiting[], ran: BatchRan): void {
  for (const entry of batch) entry.settle(ran);
}
