/** The statements on engine.results that the workers run. */
import {
  answeredWithin,
  type QueryArrayConfig,
  type QueryArrayResult,
  type Queryable,
} from "../stores/database.ts";
import type { ErrorCode } from "../wire/error-codes.ts";
import { digest } from "./json.ts";

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
  /** The broker user whose job it is; null where its message named none. */
  publisher: string | null;
  /** The program that published it, as it names itself; null where it does not. */
  appId: string | null;
  /** The reply's exact body. */
  reply: string;
  /** JSON of the stored events, or null. */
  events: string | null;
  /** Epoch ms. */
  startedAtMs: number;
}

export interface StatementOptions {
  worker: string;
  /** Whether Postgres keeps the plan on each connection, which saves a third of the statement's cost. */
  prepared: boolean;
  lockTimeoutMs: number;
}

/** The pooler gave us another server connection than the one that knows the statement: go on unprepared. */
export class StatementLost extends Error {
  override readonly name = "StatementLost";
  /** Connection exception: nothing was done. */
  readonly code = "08000";
}

/** A statement that gets no answer for so long ran on a connection that is dead. */
const QUERY_TIMEOUT_MS = 15_000;

// set_config(…, is_local) bounds the wait for locks in one statement, without session state. Sorted by
// key, or two groups that share keys would deadlock. A fixed number of parameters for any number of rows.

/** Between the values of a column: no id, type or JSON text contains it raw. */
const SEPARATOR = "\x1f";
const column = (parameter: string) => `string_to_array(${parameter}, '${SEPARATOR}', '')`;

interface Statement {
  name: string;
  text: string;
}

/** Poolers share connections among workers of all versions: another text needs another name. */
const statement = (text: string): Statement => ({
  name: `engine-insert-${digest(text).slice(0, 12)}`,
  text,
});

const FIRST_COLUMNS =
  "engine, job_id, status, attempt, type, input_hash, reply, events, publisher, app_id, worker, started_at";

// What nearly every row is. Without ON CONFLICT, with the columns as joined texts, it costs Postgres less
// than half of what INSERT costs. It fails as a whole when any key is there before.
const INSERT_FIRST = statement(`
with settings as (select set_config('lock_timeout', $1, true))
insert into engine.results (${FIRST_COLUMNS})
select $2, i.j, 'succeeded', i.a::int, i.t, i.h, i.r::json, i.v::json, i.p, i.n, $3, to_timestamp(i.b::float8 / 1000.0)
from settings, unnest(${["$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12"].map(column).join(", ")})
  as i(j, a, t, h, r, v, b, p, n)
order by i.j`);

// The same of a row that is alone, as in a worker with little to do, where nothing else hides the time:
// without texts to take apart and rows to sort, an answer comes a fifth earlier.
const INSERT_LONE_FIRST = statement(`
insert into engine.results (${FIRST_COLUMNS})
select $2, $4, 'succeeded', $5::int, $6, $7, $8::json, nullif($9, '')::json, nullif($11, ''), nullif($12, ''), $3, to_timestamp($10::float8 / 1000.0)
from set_config('lock_timeout', $1, true)`);

// I1. One JSON parameter with any rows. A failed row gives way to a later generation (a replay), a succeeded
// one never, and none gives way to another publisher's.
const INSERT = statement(`
with settings as (select set_config('lock_timeout', $3, true)),
inserted as (
insert into engine.results as r
  (engine, job_id, generation, status, code, attempt, type, input_hash, reply, events, publisher, app_id, worker, started_at)
select i.e, i.j, i.g, i.s, i.c, i.a, i.t, i.h, i.r::json, i.v::json, i.p, i.n, $2, to_timestamp(i.b / 1000.0)
from settings, json_to_recordset($1::json)
  as i(e text, j text, g int, s text, c text, a int, t text, h text, r text, v text, b float8, p text, n text)
order by i.e, i.j
on conflict (engine, job_id) do update set
  generation = excluded.generation, status = excluded.status, code = excluded.code,
  attempt = excluded.attempt, type = excluded.type, input_hash = excluded.input_hash,
  reply = excluded.reply, events = excluded.events, app_id = excluded.app_id, worker = excluded.worker,
  started_at = excluded.started_at, finished_at = now()
  where r.status = 'failed' and r.generation < excluded.generation
    and r.publisher is not distinct from excluded.publisher
returning r.engine, r.job_id)
select case when count(*) < $4 then coalesce(json_agg(engine || '/' || job_id), '[]') end
from inserted`);

// Each row says whether results can be written at all; there is one even where nothing is found.
const SELECT = `
select r.engine, r.job_id, r.generation, r.status, r.code, r.attempt, r.type, r.input_hash, r.publisher, r.app_id,
  r.reply::text as reply, r.events::text as events, extract(epoch from r.started_at)::float8 * 1000 as started_at_ms,
  current_setting('transaction_read_only') = 'off' as writable,
  has_any_column_privilege('engine.results', 'insert') as allowed
from (select) as always
left join (json_to_recordset($1::json) as k(e text, j text)
join engine.results r on r.engine = k.e and r.job_id = k.j) on true`;

/**
 * A row is missing where none can be written: on a standby or a demoted primary it may only be late, and to run
 * its job again leads nowhere. It is the same outage as its INSERT would meet.
 */
class NotWritable extends Error {
  override readonly name = "NotWritable";
  /** read_only_sql_transaction, or insufficient_privilege. */
  readonly code: string;
  constructor(code: "25006" | "42501", message: string) {
    super(message);
    this.code = code;
  }
}

export const keyOf = (row: Pick<ResultRow, "engine" | "jobId">) => `${row.engine}/${row.jobId}`;

/** A statement without parameters, bounded like the others. */
export const bounded = (text: string) => answeredWithin(QUERY_TIMEOUT_MS, { text });

/** A success of the job as it was published: nothing that it could overwrite. */
export const isFirst = (row: ResultRow) => row.status === "succeeded" && row.generation === 0;

/**
 * Inserts first rows of one engine, with distinct keys, in one statement, or none of them.
 * @returns whether they went in; false when a key was there before.
 * @throws {StatementLost} when `prepared`, behind a pooler that does not follow prepared statements.
 */
export async function insertFirst(
  client: Queryable,
  rows: ResultRow[],
  options: StatementOptions,
): Promise<boolean> {
  const joined = (read: (row: ResultRow) => string | number | null) =>
    rows.map(read).join(SEPARATOR);
  const values = [
    `${options.lockTimeoutMs}ms`,
    rows[0]?.engine,
    options.worker,
    joined((row) => row.jobId),
    joined((row) => row.attempt),
    joined((row) => row.type),
    joined((row) => row.inputHash),
    joined((row) => row.reply),
    joined((row) => row.events),
    joined((row) => row.startedAtMs),
    joined((row) => row.publisher),
    joined((row) => row.appId),
  ];
  try {
    await query(client, rows.length === 1 ? INSERT_LONE_FIRST : INSERT_FIRST, values, options);
    return true;
  } catch (error) {
    const { code, constraint } = error as { code?: unknown; constraint?: unknown };
    if (code === UNIQUE_VIOLATION && constraint === "results_pkey") return false;
    throw error;
  }
}

const UNIQUE_VIOLATION = "23505";

/**
 * Inserts rows with distinct keys in one statement; returns those that were there before.
 * @throws {StatementLost} when `prepared`, behind a pooler that does not follow prepared statements.
 */
export async function insertResults(
  client: Queryable,
  rows: ResultRow[],
  options: StatementOptions,
): Promise<ResultRow[]> {
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
    p: row.publisher,
    n: row.appId,
  }));
  const values = [JSON.stringify(input), options.worker, `${options.lockTimeoutMs}ms`, rows.length];
  const result = await query(client, INSERT, values, options);
  const [[keys]] = result.rows as [[string[] | null]];
  if (keys === null) return [];
  const inserted = new Set(keys);
  return rows.filter((row) => !inserted.has(keyOf(row)));
}

async function query(
  client: Queryable,
  { name, text }: Statement,
  values: unknown[],
  { prepared }: StatementOptions,
): Promise<QueryArrayResult> {
  const config = answeredWithin<QueryArrayConfig>(QUERY_TIMEOUT_MS, {
    ...(prepared ? { name } : {}),
    text,
    values,
    rowMode: "array",
  });
  try {
    return await client.query(config);
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (!prepared || typeof code !== "string" || !UNPREPARED.has(code)) throw error;
    throw new StatementLost("the pooler does not follow prepared statements", { cause: error });
  }
}

/** invalid_sql_statement_name, duplicate_prepared_statement. */
const UNPREPARED = new Set(["26000", "42P05"]);

/**
 * Reads the rows that are there, by key.
 * @throws {NotWritable} when one is missing where none can be written.
 */
export async function selectResults(
  client: Queryable,
  keys: Pick<ResultRow, "engine" | "jobId">[],
): Promise<Map<string, ResultRow>> {
  const input = keys.map(({ engine, jobId }) => ({ e: engine, j: jobId }));
  const select = { text: SELECT, values: [JSON.stringify(input)] };
  const { rows } = await client.query(answeredWithin(QUERY_TIMEOUT_MS, select));
  const there = rows.filter((row) => row.job_id !== null);
  if (there.length < keys.length) assertWritable(rows[0]);
  const found = there.map(
    (row): ResultRow => ({
      engine: row.engine,
      jobId: row.job_id,
      generation: row.generation,
      status: row.status,
      code: row.code,
      attempt: row.attempt,
      type: row.type,
      inputHash: row.input_hash,
      publisher: row.publisher,
      appId: row.app_id,
      reply: row.reply,
      events: row.events,
      startedAtMs: row.started_at_ms,
    }),
  );
  return new Map(found.map((row) => [keyOf(row), row]));
}

function assertWritable({ writable, allowed }: { writable: boolean; allowed: boolean }): void {
  if (!writable)
    throw new NotWritable("25006", "postgres takes no writes (a standby, or a demoted primary)");
  if (!allowed) throw new NotWritable("42501", "the user may not insert into engine.results");
}
