/** The two statements on engine.results that the workers run. */
import type pg from "pg";
import type { ErrorCode } from "./client/wire.ts";

/** One row of engine.results, as a worker writes it. */
export interface ResultRow {
  engine: string;
  jobId: string;
  generation: number;
  status: "succeeded" | "failed";
  code: ErrorCode | null;
  attempt: number;
  type: string;
  inputHash: string;
  /** The reply's exact body. */
  reply: string;
  /** JSON of the stored events, or null. */
  events: string | null;
  /** Epoch ms. */
  startedAtMs: number;
}

export interface StatementOptions {
  worker: string;
  prepared: boolean;
  lockTimeoutMs: number;
}

type Queryable = Pick<pg.ClientBase, "query">;

/** A statement that gets no answer for so long ran on a connection that is dead. */
const QUERY_TIMEOUT_MS = 15_000;

// One JSON parameter instead of a parameter per field: one statement text for any number of rows.
// set_config(…, is_local) bounds the wait for locks in this one statement, without session state.
// Sorted by key, or two groups that share keys would deadlock. A failed row gives way to a later
// generation (a replay), a succeeded one never.
const INSERT = `
with settings as (select set_config('lock_timeout', $3, true))
insert into engine.results as r
  (engine, job_id, generation, status, code, attempt, type, input_hash, reply, events, worker, started_at)
select i.e, i.j, i.g, i.s, i.c, i.a, i.t, i.h, i.r::json, i.v::json, $2, to_timestamp(i.b / 1000.0)
from settings, json_to_recordset($1::json)
  as i(e text, j text, g int, s text, c text, a int, t text, h text, r text, v text, b float8)
order by i.e, i.j
on conflict (engine, job_id) do update set
  generation = excluded.generation, status = excluded.status, code = excluded.code,
  attempt = excluded.attempt, type = excluded.type, input_hash = excluded.input_hash,
  reply = excluded.reply, events = excluded.events, worker = excluded.worker,
  started_at = excluded.started_at, finished_at = now()
  where r.status = 'failed' and r.generation < excluded.generation
returning r.engine || '/' || r.job_id as key`;

const SELECT = `
select r.engine, r.job_id, r.generation, r.status, r.code, r.attempt, r.type, r.input_hash,
  r.reply::text as reply, r.events::text as events, extract(epoch from r.started_at)::float8 * 1000 as started_at_ms
from json_to_recordset($1::json) as k(e text, j text)
join engine.results r on r.engine = k.e and r.job_id = k.j`;

export const keyOf = (row: Pick<ResultRow, "engine" | "jobId">) => `${row.engine}/${row.jobId}`;

/** A statement without parameters, bounded like the others. */
export const bounded = (text: string) =>
  ({ text, query_timeout: QUERY_TIMEOUT_MS }) as pg.QueryConfig;

/** Inserts rows with distinct keys in one statement; returns the keys of those that were not there before. */
export async function insertResults(
  client: Queryable,
  rows: ResultRow[],
  options: StatementOptions,
): Promise<Set<string>> {
  const input = rows.map((row) => ({
    e: row.engine,
    j: row.jobId,
    g: row.generation,
    s: row.status,
    c: row.code,
    a: row.attempt,
    t: row.type,
    h: row.inputHash,
    r: row.reply,
    v: row.events,
    b: row.startedAtMs,
  }));
  const result = await client.query<[string]>({
    ...(options.prepared ? { name: "engine-insert-results" } : {}),
    text: INSERT,
    values: [JSON.stringify(input), options.worker, `${options.lockTimeoutMs}ms`],
    rowMode: "array",
    query_timeout: QUERY_TIMEOUT_MS,
  } as pg.QueryArrayConfig);
  return new Set(result.rows.map(([key]) => key));
}

/** Reads the rows that are there, by key. */
export async function selectResults(
  client: Queryable,
  keys: Pick<ResultRow, "engine" | "jobId">[],
): Promise<Map<string, ResultRow>> {
  const input = keys.map(({ engine, jobId }) => ({ e: engine, j: jobId }));
  const { rows } = await client.query({
    text: SELECT,
    values: [JSON.stringify(input)],
    query_timeout: QUERY_TIMEOUT_MS,
  } as pg.QueryConfig);
  const found = rows.map(
    (row): ResultRow => ({
      engine: row.engine,
      jobId: row.job_id,
      generation: row.generation,
      status: row.status,
      code: row.code,
      attempt: row.attempt,
      type: row.type,
      inputHash: row.input_hash,
      reply: row.reply,
      events: row.events,
      startedAtMs: row.started_at_ms,
    }),
  );
  return new Map(found.map((row) => [keyOf(row), row]));
}
