/** The pool of Postgres connections of one worker, made for a pooler in transaction mode. */
import pg from "pg";
import type { Logger } from "pino";

export type { Pool, PoolClient, QueryArrayConfig, QueryArrayResult, QueryConfig } from "pg";

/** A pool, or one of its clients. */
export type Queryable = Pick<pg.ClientBase, "query">;

const CONNECT_TIMEOUT_MS = 15_000;
const IDLE_TIMEOUT_MS = 30_000;

export interface DatabaseOptions {
  databaseUrl: string;
  max: number;
  name: string;
}

/** The URL asks for channel binding and the server did not use it: somebody may sit in between. */
export class ChannelBindingMissing extends Error {
  override readonly name = "ChannelBindingMissing";
}

type Binding = { offered: boolean };

/** node-postgres ignores `channel_binding=require` in a URL, so it is read here and checked at each connection. */
class BoundClient extends pg.Client {
  readonly binding: Binding = { offered: false };
  constructor(config: pg.ClientConfig) {
    super(config);
    const { connection } = this as unknown as { connection: NodeJS.EventEmitter };
    connection.once("authenticationSASL", ({ mechanisms }: { mechanisms: string[] }) => {
      this.binding.offered = mechanisms.includes("SCRAM-SHA-256-PLUS");
    });
  }
}

/** Opens nothing until the first query; keeps nothing open when idle, so that the database can suspend. */
export function openDatabase(options: DatabaseOptions, log: Logger): pg.Pool {
  const url = new URL(options.databaseUrl);
  const bound = url.searchParams.get("channel_binding") === "require";
  url.searchParams.delete("channel_binding");
  const pool = new pg.Pool({
    connectionString: url.href,
    max: options.max,
    min: 0,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    application_name: options.name.slice(0, 63),
    ...(bound
      ? {
          enableChannelBinding: true,
          Client: BoundClient,
          onConnect: (client: pg.ClientBase) => {
            if ((client as BoundClient).binding.offered) return;
            throw new ChannelBindingMissing(
              "DATABASE_URL requires channel binding, which the server does not offer",
            );
          },
        }
      : {}),
  } as pg.PoolConfig);
  // An idle connection that breaks is no news: the next query opens another.
  pool.on("error", (error) => log.debug({ err: error }, "postgres: an idle connection broke"));
  // The pool listens to idle clients alone: an error that reaches one that is lent out, or on its way
  // out after a failed query, would end the process.
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

export type DatabaseTrouble =
  /** The server can't be used now: keep what is computed and try again. */
  | "outage"
  /** Somebody else holds a row, or waits for ours: split, so that others go on. */
  | "contention"
  /** These very values can't be stored. */
  | "bad-data";

/** Tells by SQLSTATE what an error of a statement means; whatever is unknown counts as an outage, which loses nothing. */
export function troubleOf(error: unknown): DatabaseTrouble {
  const code = (error as { code?: unknown }).code;
  if (typeof code !== "string" || code.length !== 5) return "outage";
  if (code === "55P03" || code === "40P01" || code === "40001") return "contention";
  // Class 22: data exception; 23: integrity; 54: limit exceeded; 21000: twice in one command.
  if (/^(?:22|23|54|21)/.test(code)) return "bad-data";
  return "outage";
}

/** Whether an error that a handler met says that the connection or the server is gone, and not that its SQL is wrong. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof TypeError || error instanceof RangeError)
    return false;
  const { code } = error as { code?: unknown };
  if (typeof code !== "string") return true;
  return /^(?:08|53|57P|E[A-Z]+$)/.test(code);
}
