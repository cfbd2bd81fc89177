/** Commits results: in groups for jobs that only return a value, in the job's own transaction for the rest. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Tx } from "../engine/define-worker.ts";
import {
  type DatabaseTrouble,
  isTableLock,
  type Pool,
  type Queryable,
  troubleOf,
} from "../stores/database.ts";
import { takeGroup } from "./coalesce.ts";
import { createRecovery, type Recovery, type Struggle } from "./recovery.ts";
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

/** What Postgres says to a result: the one answer for groups, batches and own transactions. */
export type Stored =
  /** This row is the first for its job, or the first of its replay. */
  | { kind: "first"; row: ResultRow }
  /** Another row was there before, and decides. */
  | { kind: "before"; row: ResultRow }
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
  commit(row: ResultRow): Promise<Stored>;
  /** Reads a stored row, waiting through outages. */
  read(engine: string, jobId: string): Promise<ResultRow | undefined>;
  /** For a job under which Postgres was lost. */
  struggle(): Struggle;
  /** Inserts the rows of jobs with own writes and commits, or rolls all of it back when any row was there before. */
  commitIn(tx: Tx, rows: ResultRow[]): Promise<OwnCommit>;
  /** Gives up waiting for Postgres; everything that waits rejects. */
  stop(): void;
}

export type OwnCommit =
  | { kind: "committed" }
  /** Rolled back: these rows were there before. */
  | { kind: "conflict"; stored: Map<string, ResultRow> }
  /** Rolled back: Postgres refuses the transaction, such as for a constraint that is checked at its end. */
  | { kind: "refused"; error: Error }
  /** The connection broke while committing: only running the same again tells. */
  | { kind: "unknown"; error: Error };

/** An uncommitted zombie that holds a key must not hold up the others for longer. */
const LOCK_TIMEOUT_MS = 500;
/** Once a group met a lock, its parts look for the culprit with less patience. */
const SPLIT_LOCK_TIMEOUT_MS = 20;

const LOCKED = "another session has locked engine.results (see pg_locks), results wait for it";
const LEFT = "a statement that the handler did not await has failed in it";

interface Waiting {
  row: ResultRow;
  resolve(stored: Stored): void;
  reject(error: unknown): void;
}

const GROUP = {
  max: 500,
  keyOf: ({ row }: Waiting) => keyOf(row),
  // Postgres' driver holds each value twice more on its way, and small rows are a few hundred bytes.
  maxBytes: 8 * 1024 * 1024,
  bytesOf: ({ row }: Waiting) => row.reply.length + (row.events?.length ?? 0),
};

export function createCommits(options: CommitOptions): Commits {
  const commits = new GroupCommits(options);
  return {
    commit: (row) => commits.commit(row),
    read: (engine, jobId) => commits.read(engine, jobId),
    struggle: () => commits.struggle(),
    commitIn: (tx, rows) => commits.commitIn(tx, rows),
    stop: () => commits.stop(),
  };
}

class GroupCommits implements Commits {
  readonly #options: CommitOptions;
  readonly #stopping = new AbortController();
  readonly #recovery: Recovery;
  #prepared: boolean;
  #waiting: Waiting[] = [];
  #flushing = false;
  /** Statements of ours that wait for a lock on the whole table. */
  #lockedOut = 0;

  constructor(options: CommitOptions) {
    this.#options = options;
    this.#prepared = options.prepared;
    this.#recovery = createRecovery({ ...options, signal: this.#stopping.signal });
  }

  commit(row: ResultRow): Promise<Stored> {
    return new Promise((resolve, reject) => this.#enqueue({ row, resolve, reject }));
  }

  async read(engine: string, jobId: string): Promise<ResultRow | undefined> {
    const { pool } = this.#options;
    const found = await this.#persist(() => selectResults(pool, [{ engine, jobId }]));
    return found.values().next().value;
  }

  struggle(): Struggle {
    return this.#recovery.begin();
  }

  stop(): void {
    this.#stopping.abort(new Error("the worker stops"));
    for (const entry of this.#waiting) entry.reject(this.#stopping.signal.reason);
    this.#waiting = [];
  }

  async commitIn(tx: Tx, rows: ResultRow[]): Promise<OwnCommit> {
    const missing = await this.#insert(tx, rows, LOCK_TIMEOUT_MS);
    if (missing.length > 0) {
      // I1. Another committer was first: nothing of this one stays.
      await tx.query(bounded("rollback"));
      return {
        kind: "conflict",
        stored: await this.#persist(() => selectResults(this.#options.pool, missing)),
      };
    }
    try {
      const { command } = await tx.query(bounded("commit"));
      // A statement that the handler did not await may have failed since: Postgres then says so in no other way.
      if (command === "COMMIT") return { kind: "committed" };
      return {
        kind: "refused",
        error: new Error(`the transaction ended with ${command}: ${LEFT}`),
      };
    } catch (error) {
      const kind = troubleOf(error) === "outage" ? "unknown" : "refused";
      return { kind, error: error as Error };
    }
  }

  /** Runs a statement until Postgres answers; throws only what splitting or giving up must handle. */
  async #persist<T>(run: () => Promise<T>): Promise<T> {
    let struggle: Struggle | undefined;
    let isLockedOut = false;
    try {
      for (;;) {
        this.#stopping.signal.throwIfAborted();
        try {
          return await run();
        } catch (error) {
          // No part of a group would get further than the whole.
          if (isTableLock(error)) {
            if (!isLockedOut && this.#lockedOut++ === 0)
              this.#options.log.warn({ err: error }, LOCKED);
            isLockedOut = true;
            await sleep(LOCK_TIMEOUT_MS / 2, undefined, { signal: this.#stopping.signal });
            continue;
          }
          if (troubleOf(error) !== "outage") throw error;
          struggle ??= this.#recovery.begin();
          await struggle.wait(error, true);
        }
      }
    } finally {
      struggle?.end();
      if (isLockedOut && --this.#lockedOut === 0)
        this.#options.log.info("engine.results is no longer locked");
    }
  }

  /** Natural batching: whatever is ready when the previous group is done. */
  async #flushAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const { group, rest } = takeGroup(this.#waiting, GROUP);
      this.#waiting = rest;
      const others = group.filter(({ row }) => !isFirst(row));
      const firsts = others.length === 0 ? group : group.filter(({ row }) => isFirst(row));
      if (firsts.length > 0) await this.#flush(firsts, LOCK_TIMEOUT_MS);
      if (others.length > 0) await this.#flush(others, LOCK_TIMEOUT_MS);
    }
    this.#flushing = false;
  }

  async #flush(group: Waiting[], lockTimeoutMs: number): Promise<void> {
    const rows = group.map((entry) => entry.row);
    let missing: ResultRow[];
    let stored: Map<string, ResultRow> | undefined;
    try {
      // I7. After a lost answer the same INSERT runs again: it waits for the first one, if that still
      // runs, and finds its rows. Reading back instead could miss a commit that is on its way.
      missing = await this.#persist(() => this.#insert(this.#options.pool, rows, lockTimeoutMs));
      if (missing.length > 0)
        stored = await this.#persist(() => selectResults(this.#options.pool, missing));
    } catch (error) {
      return this.#split(group, error as Error);
    }
    const isMissing = new Set(missing);
    for (const entry of group) {
      const { row } = entry;
      if (!isMissing.has(row)) {
        entry.resolve({ kind: "first", row });
        continue;
      }
      const before = stored?.get(keyOf(row));
      if (before !== undefined) entry.resolve({ kind: "before", row: before });
      // Deleted between the two statements, by the purge: so old that inserting it again is right.
      else this.#enqueue(entry);
    }
  }

  /** Returns the rows that were there before, or, inside of a transaction, those of which one was. */
  async #insert(client: Queryable, rows: ResultRow[], lockTimeoutMs: number): Promise<ResultRow[]> {
    const { worker } = this.#options;
    const statement = { worker, prepared: this.#prepared, lockTimeoutMs };
    try {
      if (rows.every(isFirst)) {
        if (await insertFirst(client, rows, statement)) return [];
        // An error ends a transaction: nothing more can be asked in it.
        if (client !== this.#options.pool) return rows;
      }
      return await insertResults(client, rows, statement);
    } catch (error) {
      if (!(error instanceof StatementLost)) throw error;
      if (this.#prepared)
        this.#options.log.warn(
          { err: error },
          "going on without prepared statements (DATABASE_PREPARED)",
        );
      this.#prepared = false;
      // Inside of a transaction nothing can be said any more: its job runs again.
      if (client !== this.#options.pool) throw error;
      return this.#insert(this.#options.pool, rows, lockTimeoutMs);
    }
  }

  async #split(group: Waiting[], error: Error): Promise<void> {
    const trouble: DatabaseTrouble = troubleOf(error);
    const isOver = trouble === "outage" || trouble === "closed" || this.#stopping.signal.aborted;
    const [first] = group;
    if (isOver || first === undefined) {
      for (const entry of group) entry.reject(error);
    } else if (group.length > 1) {
      const middle = Math.ceil(group.length / 2);
      await this.#flush(group.slice(0, middle), SPLIT_LOCK_TIMEOUT_MS);
      await this.#flush(group.slice(middle), SPLIT_LOCK_TIMEOUT_MS);
    } else if (trouble !== "contention") {
      first.resolve({ kind: "unstorable", error });
    } else {
      this.#options.log.warn(
        { jobId: first.row.jobId },
        "another transaction holds this job's row, waiting for it",
      );
      setTimeout(() => this.#enqueue(first), LOCK_TIMEOUT_MS / 2).unref();
    }
  }

  #enqueue(entry: Waiting): void {
    if (this.#stopping.signal.aborted) {
      entry.reject(this.#stopping.signal.reason);
      return;
    }
    this.#waiting.push(entry);
    if (this.#flushing) return;
    this.#flushing = true;
    process.nextTick(() => this.#flushAll());
  }
}
