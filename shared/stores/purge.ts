/** Deletes what is past its retention, a few at a time, only while the database is awake anyway. */
import type pg from "pg";
import type { Logger } from "pino";
import { answeredWithin } from "./pg-insides.ts";
import { readTrouble } from "./trouble.ts";

export interface PurgeTimes {
  log: Logger;
  /** Between two purges when there is little to delete. Default: ten minutes. */
  intervalMs?: number;
  /** Between two purges while more is left. Default: five seconds, so up to 17 million results a day. */
  catchUpMs?: number;
  /** Until the first one. Default: at random within `intervalMs`, so that workers that start together do not purge together. */
  firstMs?: number;
}

export interface ResultsPurgeOptions extends PurgeTimes {
  pool: pg.Pool;
  engine: string;
  retentionDays: number;
}

const INTERVAL_MS = 600_000;
const CATCH_UP_MS = 5_000;
/** Of one call of the function in the database. */
const BATCH = 1_000;
/** A purge without an answer would keep one of the worker's few connections. */
const QUERY_TIMEOUT_MS = 60_000;

// An engine's role may not delete: the function, of migration 003, looks who asks and takes a batch.
const PURGE = "select engine.purge_results($1, $2)::int as purged";

export interface Purge {
  /** To be called often; it acts when it is time. Never throws, and nobody waits for it. */
  afterCommit(): void;
}

/** Of results. */
export function createPurge(options: ResultsPurgeOptions): Purge {
  const { pool, engine, retentionDays, log } = options;
  return purgeOf("old results", options, async () => {
    const query = { text: PURGE, values: [engine, retentionDays] };
    const { rows } = await pool.query(answeredWithin(QUERY_TIMEOUT_MS, query));
    const [{ purged }] = rows as [{ purged: number }];
    log.debug({ purged }, "purged old results");
    // A busy engine makes more in ten minutes than one batch takes away.
    return purged === BATCH;
  });
}

type OwnTx = Pick<pg.PoolClient, "query">;

/** What an engine's own purge does in its transaction; what it returns is handed to its next call. */
export type OwnPurge = (tx: OwnTx, after: unknown) => unknown;

// Whoever waits for us waits no longer than this, and the server ends a transaction whose worker froze in it.
const BEGIN =
  "begin; set local lock_timeout = 2000; set local idle_in_transaction_session_timeout = 60000";

/** Of an engine's own tables, in a transaction of its own. */
export function createOwnPurge(run: OwnPurge, options: PurgeTimes & { pool: pg.Pool }): Purge {
  let after: unknown;
  return purgeOf("the engine's own tables", options, async () => {
    const client = await options.pool.connect();
    const from = after;
    // What fails begins anew.
    after = undefined;
    let discard = true;
    const query = (asked: string | pg.QueryConfig, values?: unknown[]) =>
      client.query(
        answeredWithin(QUERY_TIMEOUT_MS, {
          ...(typeof asked === "string" ? { text: asked, values } : asked),
        }),
      );
    try {
      await query(BEGIN);
      const next = await run({ query } as OwnTx, from);
      await query("commit");
      discard = false;
      after = next;
    } finally {
      // A closed connection rolls back.
      client.release(discard);
    }
    return after !== undefined;
  });
}

/** Runs the work after a commit when it is time; the work says whether more is left. */
export function purgeOf(
  what: string,
  { log, intervalMs = INTERVAL_MS, catchUpMs = CATCH_UP_MS, firstMs }: PurgeTimes,
  work: () => Promise<boolean>,
): Purge {
  let nextMs = performance.now() + (firstMs ?? Math.random() * intervalMs);
  let failing = false;

  async function purge(): Promise<void> {
    nextMs = Number.POSITIVE_INFINITY;
    let waitMs = intervalMs;
    try {
      if (await work()) waitMs = catchUpMs;
      failing = false;
    } catch (error) {
      // Said once: what can't be purged now is not lost, and a worker that stops has closed its pool.
      const isNews = !failing && readTrouble(error) !== "closed";
      log[isNews ? "warn" : "debug"]({ err: error }, `purging ${what} failed`);
      failing = true;
    }
    nextMs = performance.now() + waitMs;
  }

  return {
    afterCommit() {
      if (performance.now() >= nextMs) void purge();
    },
  };
}
