/** The pool of Postgres connections of one worker, made for a pooler in transaction mode. */
import pg from "pg";
import type { Logger } from "pino";
import { boundClient, readChannelBinding } from "../wire/channel-binding.ts";
import { assertPg } from "./pg-insides.ts";

export type { Pool, PoolClient, QueryArrayConfig, QueryArrayResult } from "pg";
export { answeredWithin } from "./pg-insides.ts";
export { type DatabaseTrouble, isConnectionLoss, isTableLock, troubleOf } from "./trouble.ts";

/** A pool, or one of its clients. */
export type Queryable = Pick<pg.ClientBase, "query">;

/** Whoever waits for us waits no longer, and the server ends a transaction whose worker froze in it. */
const BEGIN =
  "begin; set local lock_timeout = 2000; set local idle_in_transaction_session_timeout = 60000";

/** Runs `work` in a transaction of its own: it commits when that resolves, and rolls back when it throws. */
export async function asTransaction<T>(
  pool: pg.Pool,
  work: (tx: Queryable) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let isBroken = true;
  try {
    await client.query(BEGIN);
    const done = await work(client);
    await client.query("commit");
    isBroken = false;
    return done;
  } catch (error) {
    await client.query("rollback").then(
      () => {
        isBroken = false;
      },
      () => {},
    );
    throw error;
  } finally {
    client.release(isBroken);
  }
}

const CONNECT_TIMEOUT_MS = 15_000;
const IDLE_TIMEOUT_MS = 30_000;

export interface DatabaseOptions {
  databaseUrl: string;
  max: number;
  name: string;
}

/** Opens nothing until the first query; keeps nothing open when idle, so that the database can suspend. */
export function openDatabase(options: DatabaseOptions, log: Logger): pg.Pool {
  assertPg();
  const { url, required } = readChannelBinding(options.databaseUrl);
  const pool = new pg.Pool({
    connectionString: url,
    max: options.max,
    min: 0,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    application_name: options.name.slice(0, 63),
    ...(required && { enableChannelBinding: true, Client: boundClient(pg.Client) }),
  } as pg.PoolConfig);
  // An idle connection that breaks is no news: the next query opens another.
  pool.on("error", (error) => log.debug({ err: error }, "postgres: an idle connection broke"));
  // The pool listens to idle clients alone: an error that reaches one that is lent out, or on its way
  // out after a failed query, would end the process.
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}
