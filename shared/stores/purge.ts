/** Deletes results past their retention, a few at a time, only while the database is awake anyway. */
import type pg from "pg";
import type { Logger } from "pino";

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

const DELETE = `
delete from engine.results where ctid = any (array(
  select ctid from engine.results
  where engine = $1 and finished_at < now() - make_interval(days => $2)
  limit ${BATCH} for update skip locked))`;

/** `afterCommit` is called often, and acts when it is time. */
export function createPurge(options: PurgeOptions): { afterCommit(): void } {
  const { pool, engine, retentionDays, log } = options;
  const { intervalMs = INTERVAL_MS, catchUpMs = CATCH_UP_MS } = options;
  // Workers that start together do not purge together.
  let nextMs = performance.now() + Math.random() * intervalMs;

  async function purge(): Promise<void> {
    nextMs = Number.POSITIVE_INFINITY;
    let waitMs = intervalMs;
    try {
      const { rowCount } = await pool.query(DELETE, [engine, retentionDays]);
      log.debug({ rowCount }, "purged old results");
      // A busy engine makes more in ten minutes than one batch takes away.
      if (rowCount === BATCH) waitMs = catchUpMs;
    } catch (error) {
      log.warn({ err: error }, "purging old results failed");
    }
    nextMs = performance.now() + waitMs;
  }

  return {
    afterCommit() {
      if (performance.now() >= nextMs) void purge();
    },
  };
}
