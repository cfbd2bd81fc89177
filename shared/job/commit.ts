/** Commits results: in groups for jobs that only return a value, in the job's own transaction for the rest. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Tx } from "../engine/define-worker.ts";
import { type DatabaseTrouble, type Pool, type Queryable, troubleOf } from "../stores/database.ts";
import { takeDistinct } from "./coalesce.ts";
import {
  bounded,
  insertFirst,
  insertResults,
  isFirst,
  keyOf,
  type ResultRow,
  StatementLost,
  selectResults,
} from "./result-rows.ts";

export type Committed =
  /** This row is the first for its job. */
  | { kind: "committed"; row: ResultRow }
  /** Another row was there before. */
  | { kind: "stored"; row: ResultRow }
  /** Postgres refuses these very values. */
  | { kind: "unstorable"; error: Error };

export interface CommitOptions {
  pool: Pool;
  worker: string;
  prepared: boolean;
  log: Logger;
  /** Told when Postgres can't be used, and when it can again. */
  onOutage(down: boolean): void;
}

export interface Commits {
  /** Commits with whatever else is ready. Waits through outages; rejects only once {@link stop} was called. */
  commit(row: ResultRow): Promise<Committed>;
  /** Reads a stored row, waiting through outages. */
  read(engine: string, jobId: string): Promise<ResultRow | undefined>;
  /** Inserts the rows of jobs with own writes and commits, or rolls all of it back when any row was there before. */
  commitIn(tx: Tx, rows: ResultRow[]): Promise<OwnCommit>;
  /** Gives up waiting for Postgres; everything that waits rejects. */
  stop(): void;
}

export type OwnCommit =
  | { kind: "committed" }
  /** Rolled back: these rows were there before. */
  | { kind: "conflict"; stored: Map<string, ResultRow> }
  /** The connection broke while committing: only running the same again tells. */
  | { kind: "unknown"; error: Error };

const MAX_GROUP = 500;
/** An uncommitted zombie that holds a key must not hold up the others for longer. */
const LOCK_TIMEOUT_MS = 500;
/** Once a group met a lock, its parts look for the culprit with less patience. */
const SPLIT_LOCK_TIMEOUT_MS = 20;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 5_000;

interface Waiting {
  row: ResultRow;
  resolve(committed: Committed): void;
  reject(error: unknown): void;
}

export function createCommits(options: CommitOptions): Commits {
  const { pool, log } = options;
  const stopping = new AbortController();
  let { prepared } = options;
  let waiting: Waiting[] = [];
  let flushing = false;
  let down = false;

  function setDown(isDown: boolean): void {
    if (down === isDown) return;
    down = isDown;
    options.onOutage(isDown);
  }

  /** Runs a statement until Postgres answers; throws only what splitting or giving up must handle. */
  async function persist<T>(run: () => Promise<T>): Promise<T> {
    for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
      stopping.signal.throwIfAborted();
      try {
        const result = await run();
        setDown(false);
        return result;
      } catch (error) {
        if (troubleOf(error) !== "outage") throw error;
        if (!down) log.error({ err: error }, "postgres can't be used, holding results");
        setDown(true);
        await sleep(delayMs, undefined, { signal: stopping.signal });
      }
    }
  }

  /** Natural batching: whatever is ready when the previous group is done. */
  async function flushAll(): Promise<void> {
    while (waiting.length > 0) {
      const { group, rest } = takeDistinct(waiting, MAX_GROUP, ({ row }) => keyOf(row));
      waiting = rest;
      const others = group.filter(({ row }) => !isFirst(row));
      const firsts = others.length === 0 ? group : group.filter(({ row }) => isFirst(row));
      if (firsts.length > 0) await flush(firsts, LOCK_TIMEOUT_MS);
      if (others.length > 0) await flush(others, LOCK_TIMEOUT_MS);
    }
    flushing = false;
  }

  async function flush(group: Waiting[], lockTimeoutMs: number): Promise<void> {
    const rows = group.map((entry) => entry.row);
    let missing: ResultRow[];
    let stored: Map<string, ResultRow> | undefined;
    try {
      // After a lost answer the same INSERT runs again: it waits for the first one, if that still
      // runs, and finds its rows. Reading back instead could miss a commit that is on its way.
      missing = await persist(() => insert(pool, rows, lockTimeoutMs));
      if (missing.length > 0) stored = await persist(() => selectResults(pool, missing));
    } catch (error) {
      return split(group, error as Error);
    }
    const isMissing = new Set(missing);
    for (const entry of group) {
      const { row } = entry;
      if (!isMissing.has(row)) {
        entry.resolve({ kind: "committed", row });
        continue;
      }
      const before = stored?.get(keyOf(row));
      if (before !== undefined) entry.resolve({ kind: "stored", row: before });
      // Deleted between the two statements, by the purge: so old that inserting it again is right.
      else enqueue(entry);
    }
  }

  /** Returns the rows that were there before, or, inside of a transaction, those of which one was. */
  async function insert(
    client: Queryable,
    rows: ResultRow[],
    lockTimeoutMs: number,
  ): Promise<ResultRow[]> {
    const { worker } = options;
    const statement = { worker, prepared, lockTimeoutMs };
    try {
      if (rows.every(isFirst)) {
        if (await insertFirst(client, rows, statement)) return [];
        // An error ends a transaction: nothing more can be asked in it.
        if (client !== pool) return rows;
      }
      return await insertResults(client, rows, statement);
    } catch (error) {
      if (!(error instanceof StatementLost)) throw error;
      if (prepared)
        log.warn({ err: error }, "going on without prepared statements (DATABASE_PREPARED)");
      prepared = false;
      // Inside of a transaction nothing can be said any more: its job runs again.
      if (client !== pool) throw error;
      return insert(pool, rows, lockTimeoutMs);
    }
  }

  async function split(group: Waiting[], error: Error): Promise<void> {
    const trouble: DatabaseTrouble = troubleOf(error);
    const [first] = group;
    if (trouble === "outage" || trouble === "closed" || first === undefined) {
      for (const entry of group) entry.reject(error);
    } else if (group.length > 1) {
      const middle = Math.ceil(group.length / 2);
      await flush(group.slice(0, middle), SPLIT_LOCK_TIMEOUT_MS);
      await flush(group.slice(middle), SPLIT_LOCK_TIMEOUT_MS);
    } else if (trouble === "bad-data") {
      first.resolve({ kind: "unstorable", error });
    } else {
      log.warn(
        { jobId: first.row.jobId },
        "another transaction holds this job's row, waiting for it",
      );
      setTimeout(() => enqueue(first), LOCK_TIMEOUT_MS / 2).unref();
    }
  }

  function enqueue(entry: Waiting): void {
    if (stopping.signal.aborted) {
      entry.reject(stopping.signal.reason);
      return;
    }
    waiting.push(entry);
    if (flushing) return;
    flushing = true;
    process.nextTick(flushAll);
  }

  async function commitIn(tx: Tx, rows: ResultRow[]): Promise<OwnCommit> {
    const missing = await insert(tx, rows, LOCK_TIMEOUT_MS);
    if (missing.length > 0) {
      await tx.query(bounded("rollback"));
      return { kind: "conflict", stored: await persist(() => selectResults(pool, missing)) };
    }
    try {
      await tx.query(bounded("commit"));
      return { kind: "committed" };
    } catch (error) {
      return { kind: "unknown", error: error as Error };
    }
  }

  return {
    commit: (row) => new Promise((resolve, reject) => enqueue({ row, resolve, reject })),
    async read(engine, jobId) {
      const found = await persist(() => selectResults(pool, [{ engine, jobId }]));
      return found.values().next().value;
    },
    commitIn,
    stop() {
      stopping.abort(new Error("the worker stops"));
      for (const entry of waiting) entry.reject(stopping.signal.reason);
      waiting = [];
    },
  };
}
