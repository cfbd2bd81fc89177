/** What Postgres holds of the burst, by plain SQL, through a way that may break between two questions. */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

export interface ResultRow {
  jobId: string;
  status: string;
  /** Ids of what it announced. */
  events: string[];
}

export interface Results {
  /** Jobs of the burst that ended. */
  count(engine: string): Promise<number>;
  /** All rows of the burst. */
  read(engine: string): Promise<ResultRow[]>;
  /** Rows that an engine has of these ids, one entry for each row. */
  idsOf(engine: string, ids: readonly string[]): Promise<string[]>;
  close(): Promise<void>;
}

const PATIENCE_MS = 60_000;
const RETRY_MS = 500;
/** A way that is half broken says nothing at all. */
const QUERY_TIMEOUT_MS = 30_000;
const OF_BURST = "from engine.results where engine = $1 and starts_with(job_id, $2)";
/** Their bodies are many times as large, and a port-forward is narrow. */
const EVENT_IDS = "(select json_agg(event->>'id') from json_array_elements(events) as event)";

/** @param idPrefix how the ids of the burst begin. */
export function openResults(databaseUrl: string, idPrefix: string, signal: AbortSignal): Results {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: 2,
    connectionTimeoutMillis: 5_000,
    query_timeout: QUERY_TIMEOUT_MS,
  });
  // A lost idle connection is replaced at the next query; without a listener it would end the process.
  pool.on("error", () => {});
  const ask = async <Row extends pg.QueryResultRow>(sql: string, values: unknown[]) => {
    for (const startedAtMs = performance.now(); ; ) {
      signal.throwIfAborted();
      try {
        return (await pool.query<Row>(sql, values)).rows;
      } catch (error) {
        const isAnswer = error instanceof pg.DatabaseError && !error.code?.startsWith("57");
        if (isAnswer || performance.now() - startedAtMs > PATIENCE_MS) throw error;
        await sleep(RETRY_MS, undefined, { signal });
      }
    }
  };
  return {
    async count(engine) {
      const [row] = await ask<{ count: number }>(`select count(*)::int as count ${OF_BURST}`, [
        engine,
        idPrefix,
      ]);
      return row?.count ?? 0;
    },
    async read(engine) {
      const rows = await ask<ResultRow & { events: string[] | null }>(
        `select job_id as "jobId", status, ${EVENT_IDS} as events ${OF_BURST}`,
        [engine, idPrefix],
      );
      return rows.map((row) => ({ ...row, events: row.events ?? [] }));
    },
    async idsOf(engine, ids) {
      const rows = await ask<{ id: string }>(
        "select job_id as id from engine.results where engine = $1 and job_id = any($2)",
        [engine, ids],
      );
      return rows.map(({ id }) => id);
    },
    close: () => pool.end(),
  };
}
