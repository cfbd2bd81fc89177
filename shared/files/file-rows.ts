/** The statements on engine.files: whose each object is. */
import { answeredWithin, type Queryable } from "../stores/database.ts";

const QUERY_TIMEOUT_MS = 15_000;

export interface FileRow {
  engine: string;
  key: string;
  jobId: string;
  expiresS: number;
}

const ask = (client: Pick<Queryable, "query">, text: string, values: unknown[]) =>
  client.query(answeredWithin(QUERY_TIMEOUT_MS, { text, values }));

/** Before the upload begins. */
export async function insertFile(client: Queryable, row: FileRow): Promise<void> {
  await ask(
    client,
    "insert into engine.files (engine, key, job_id, expires_at) values ($1, $2, $3, now() + make_interval(secs => $4))",
    [row.engine, row.key, row.jobId, row.expiresS],
  );
}

/**
 * In the transaction of the job's result. The time of a file begins here.
 * @returns how many could be kept.
 */
export async function keepFiles(
  client: Queryable,
  engine: string,
  keys: readonly string[],
): Promise<number> {
  const { rowCount } = await ask(
    client,
    "update engine.files set state = 'kept', expires_at = now() + (expires_at - created_at) where engine = $1 and key = any ($2) and state = 'pending'",
    [engine, keys],
  );
  return rowCount ?? 0;
}

/** Of what a run leaves that did not succeed, and of what a handler deletes. */
export async function markRemoved(
  client: Queryable,
  engine: string,
  keys: readonly string[],
  state: "pending" | "any" = "any",
): Promise<string[]> {
  const { rows } = await ask(
    client,
    `update engine.files set state = 'removed' where engine = $1 and key = any ($2)${state === "any" ? "" : " and state = 'pending'"} returning key`,
    [engine, keys],
  );
  return rows.map(({ key }) => key as string);
}

export async function forgetFiles(
  client: Queryable,
  engine: string,
  keys: readonly string[],
): Promise<void> {
  if (keys.length > 0) await ask(client, "select engine.forget_files($1, $2)", [engine, keys]);
}

export interface Stale {
  key: string;
  isExpired: boolean;
}

// What another worker's sweep marked and did not finish comes again.
const TAKE_STALE = `
with stale as (
  select engine, key, state from engine.files
  where engine = $1 and (
    state = 'removed'
    or (state = 'kept' and expires_at < now())
    or (state = 'pending' and created_at < now() - make_interval(secs => $2)))
  order by expires_at limit $3 for update skip locked)
update engine.files f set state = 'removed' from stale
where f.engine = stale.engine and f.key = stale.key
returning f.key, stale.state = 'kept' as is_expired`;

/** Marks what is past its time, so that nobody keeps it any more, and returns it. */
export async function takeStale(
  client: Queryable,
  engine: string,
  pendingS: number,
  max: number,
): Promise<Stale[]> {
  const { rows } = await ask(client, TAKE_STALE, [engine, pendingS, max]);
  return rows.map((row) => ({ key: row.key, isExpired: row.is_expired }));
}

/** Those of `keys` that have a row, or one of a state. */
export async function knownKeys(
  client: Queryable,
  engine: string,
  keys: readonly string[],
  state?: "kept",
): Promise<Set<string>> {
  const { rows } = await ask(
    client,
    "select key from engine.files where engine = $1 and key = any ($2) and state = coalesce($3, state)",
    [engine, keys, state],
  );
  return new Set(rows.map(({ key }) => key as string));
}
