/** Deletes results past their retention, a few at a time, only while the database is awake anyway. */
import type pg from "pg";
import type { Logger } from "pino";
import { answeredWithin } from "./pg-insides.ts";
import { readTrouble } from "./trouble.ts";

export interface PurgeOptions {
  pool: pg.Pool;
  engine: string;
  retentionDays: number;
  log: Logger;
  /** Between two purges when there is little to delete. Default: ten minutes. */
  intervalMs?: number;
  /** Between two purges while more is left. Default: five seconds, so up to 17 million rows a day. */
  catchUpMs?: number;
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
  /** To be called often; it acts when it is time. */
  afterCommit(): void;
}

export function createPurge(options: PurgeOptions): Purge {
  const { pool, engine, retentionDays, log } = options;
  const { intervalMs = INTERVAL_MS, catchUpMs = CATCH_UP_MS } = options;
  // Workers that start together do not purge together.
  let nextMs = performance.now() + Math.random() * intervalMs;
  let failing = false;

  async function purge(): Promise<void> {
    nextMs = Number.POSITIVE_INFINITY;
    let waitMs = intervalMs;
    try {
      const query = { text: PURGE, values: [engine, retentionDays] };
      const { rows } = await pool.query(answeredWithin(QUERY_TIMEOUT_MS, query));
      const [{ purged }] = rows as [{ purged: number }];
      failing = false;
      log.debug({ purged }, "purged old results");
      // A busy engine makes more in ten minutes than one batch takes away.
      if (purged === BATCH) waitMs = catchUpMs;
    } catch (error) {
      // Said once: what can't be purged now is not lost, and a worker that stops has closed its pool.
      const isNews = !failing && readTrouble(error) !== "closed";
      log[isNews ? "warn" : "debug"]({ err: error }, "purging old results failed");
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
