/** Deletes results past their retention, a few at a time, only while the database is awake anyway. */
import type pg from "pg";
import type { Logger } from "pino";

export interface PurgeOptions {
  pool: pg.Pool;
  engine: string;
  retentionDays: number;
  log: Logger;
}

const INTERVAL_MS = 600_000;
const BATCH = 1_000;

const DELETE = `
delete from engine.results where ctid = any (array(
  select ctid from engine.results
  where engine = $1 and finished_at < now() - make_interval(days => $2)
  limit ${BATCH} for update skip locked))`;

/** `afterCommit` is called often and acts at most every ten minutes. */
export function createPurge({ pool, engine, retentionDays, log }: PurgeOptions): {
  afterCommit(): void;
} {
  // Workers that start together do not purge together.
  let nextMs = performance.now() + Math.random() * INTERVAL_MS;
  return {
    afterCommit() {
      if (performance.now() < nextMs) return;
      nextMs = performance.now() + INTERVAL_MS;
      pool
        .query(DELETE, [engine, retentionDays])
        .then(({ rowCount }) => log.debug({ rowCount }, "purged old results"))
        .catch((error) => log.warn({ err: error }, "purging old results failed"));
    },
  };
}
