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
const BATCH = 1_000;
/** A purge without an answer would keep one of the worker's few connections. */
const QUERY_TIMEOUT_MS = 60_000;

const DELETE = `
delete from engine.results where ctid = any (array(
  select ctid from engine.results
  where engine = $1 and finished_at < now() - make_interval(days => $2)
  limit ${BATCH} for update skip locked))`;

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
      const query = { text: DELETE, values: [engine, retentionDays] };
      const { rowCount } = await pool.query(answeredWithin(QUERY_TIMEOUT_MS, query));
      failing = false;
      log.debug({ rowCount }, "purged old results");
      // A busy engine makes more in ten minutes than one batch takes away.
      if (rowCount === BATCH) waitMs = catchUpMs;
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
