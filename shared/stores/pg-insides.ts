/** What we use of pg beyond its documentation; its version is pinned, and all of it is checked at start and by a test. */
import pg from "pg";

/** Errors without a code by which pg and its pool say that there is, or came to be, no connection. */
const CONNECTION_TEXTS = [
  /^Connection terminated/,
  /^timeout exceeded when trying to connect$/,
  /^timeout expired$/,
  /^Query read timeout$/,
  /^Client (?:has encountered a connection error and is not queryable|was closed and is not queryable)$/,
  /^The server does not support SSL connections$/,
  /^There was an error establishing an SSL connection$/,
  /^SASL(?: channel binding)?: /,
  // What came is no answer to what was asked, or no message at all: nothing more is known of this connection.
  /^Received unexpected \w+ message from backend\.$/,
  /^received invalid response: /,
];

const CLOSED_TEXT = "Cannot use a pool after calling end on the pool";

/** A connection that can't be had, or that broke. */
export const isConnectionText = (error: Error): boolean =>
  CONNECTION_TEXTS.some((text) => text.test(error.message));

/** A pool that we closed ourselves. */
export const isClosedPool = (error: Error): boolean => error.message === CLOSED_TEXT;

/** The server speaks, but no TLS. */
export const isWithoutTls = (error: Error): boolean =>
  error.message === "The server does not support SSL connections";

/** The server answered the question for TLS with something that is no Postgres. */
export const isNoTlsAnswer = (error: Error): boolean =>
  error.message === "There was an error establishing an SSL connection";

/** Connected, but the greeting never came. */
export const isConnectTimeout = (error: Error): boolean =>
  /^(?:timeout expired|Connection terminated due to connection timeout|timeout exceeded when trying to connect)$/.test(
    error.message,
  );

/** A query that fails when its answer takes longer. */
export const answeredWithin = <Query extends pg.QueryConfig>(timeoutMs: number, query: Query) =>
  Object.assign(query, { query_timeout: timeoutMs });

/** What no release of pg promises, and ours needs. */
export class UnknownPg extends Error {
  override readonly name = "UnknownPg";
}

/**
 * Looks at what is reached inside of pg, before anything depends on it.
 * @throws {UnknownPg}
 */
export function assertPg(Client: typeof pg.Client = pg.Client): void {
  const client = new Client({ query_timeout: 1 }) as unknown as {
    connection?: { emit?: unknown; stream?: { destroy?: unknown } };
    connectionParameters?: { query_timeout?: unknown };
  };
  const missing = [
    typeof client.connection?.emit !== "function" && "client.connection",
    typeof client.connection?.stream?.destroy !== "function" && "client.connection.stream",
    client.connectionParameters?.query_timeout !== 1 && "query_timeout",
  ].filter((name) => name !== false);
  if (missing.length > 0)
    throw new UnknownPg(
      `this release of pg has no ${missing.join(", ")}: install the version that package.json pins (npm ci)`,
    );
}

/** Whether a pooler answers: it hands out numbers of its own where the server would give its process. */
export async function behindPooler(client: Pick<pg.ClientBase, "query">): Promise<boolean> {
  const { processID } = client as { processID?: number | null };
  const { rows } = await client.query("select pg_backend_pid() as pid");
  return rows[0].pid !== processID;
}
