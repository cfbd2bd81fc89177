/** What an error of Postgres, of a pooler, or of the driver means. */
import pg from "pg";
import { describe, expect, test } from "vitest";
import { message, startFakePostgres } from "../testing/fake-postgres.ts";
import { ChannelBindingMissing } from "../wire/channel-binding.ts";
import { answeredWithin } from "./pg-insides.ts";
import { type DatabaseTrouble, isConnectionLoss, readTrouble, troubleOf } from "./trouble.ts";

const says = (code: string, more: Record<string, string> = {}) =>
  Object.assign(new Error(more.message ?? code), {
    code,
    severity: "ERROR",
    routine: "x",
    ...more,
  });
const pooler = (code: string, message: string, severity = "ERROR") =>
  Object.assign(new Error(message), { code, severity });
const node = (code: string) => Object.assign(new Error(code), { code, syscall: "connect" });

/** Of any statement; of our own. Where one is given, it is both. */
const TABLE: [string, unknown, DatabaseTrouble, DatabaseTrouble?][] = [
  ["read-only after a failover", says("25006"), "outage"],
  ["a rotated password", says("28P01", { severity: "FATAL" }), "outage"],
  ["a role that may not log in", says("28000", { severity: "FATAL" }), "outage"],
  ["no such database", says("3D000", { severity: "FATAL" }), "outage"],
  ["no right to connect", says("42501", { severity: "FATAL" }), "outage"],
  ["too many connections", says("53300"), "outage"],
  ["a full disk", says("53100"), "outage"],
  ["temp_file_limit", says("53400"), "other"],
  ["shut down", says("57P01"), "outage"],
  ["crashed", says("57P02"), "outage"],
  ["starting up", says("57P03"), "outage"],
  ["database dropped", says("57P04"), "outage"],
  ["idle session", says("57P05"), "outage"],
  ["ended idle in its transaction", says("25P03", { severity: "FATAL" }), "outage"],
  ["an I/O error", says("58030"), "outage"],
  ["connection failure", says("08006", { severity: "FATAL" }), "outage"],
  ["PgBouncer can't log in", pooler("08P01", "server_login_failed", "FATAL"), "outage"],
  ["PgBouncer can't connect", pooler("08P01", "pgbouncer cannot connect to server"), "outage"],
  ["PgBouncer's queue", pooler("08P01", "query_wait_timeout", "FATAL"), "outage"],
  ["miscounted parameters", says("08P01", { routine: "exec_bind_message" }), "refused", "outage"],
  ["Neon", pooler("XX000", "Couldn't connect to compute node"), "outage"],
  ["Supabase", pooler("XX000", "Tenant or user not found", "FATAL"), "outage"],
  ["a bug of Postgres", says("XX000"), "other", "outage"],
  ["a corrupt index", says("XX002"), "other", "outage"],
  [
    "a value beyond 1 GB",
    says("XX000", { message: "invalid memory alloc request size 1073741824" }),
    "bad-data",
  ],
  ["lock timeout", says("55P03"), "contention"],
  ["deadlock", says("40P01"), "contention"],
  ["serialization", says("40001"), "contention"],
  ["not text", says("22P05"), "bad-data"],
  ["a unique key", says("23505"), "bad-data"],
  ["twice in a command", says("21000"), "bad-data"],
  ["too long for an index", says("54000"), "bad-data"],
  ["no such table", says("42P01"), "refused", "outage"],
  ["no right to the table", says("42501"), "refused", "outage"],
  ["no such schema", says("3F000"), "refused", "outage"],
  ["a syntax error", says("42601"), "refused", "outage"],
  ["a failed transaction", says("25P02"), "other"],
  ["statement_timeout", says("57014"), "other", "contention"],
  ["a trigger's RAISE", says("P0001"), "other"],
  ["a trigger's RAISE with a code of its own", says("EPIPX"), "other"],
  ["a closed pool", new Error("Cannot use a pool after calling end on the pool"), "closed"],
  ["results too long for one text", new RangeError("Invalid string length"), "bad-data"],
  ["a value that is none", new TypeError("Do not know how to serialize a BigInt"), "bad-data"],
  ["anything", new Error("boom"), "other"],
  ["no error", "boom", "other"],
  ["nothing at all", undefined, "other"],
  ["no binding", new ChannelBindingMissing("x"), "outage"],
  ["several addresses", new AggregateError([node("ECONNREFUSED")]), "outage"],
  ...[
    "ECONNREFUSED",
    "ECONNRESET",
    "EPIPE",
    "ETIMEDOUT",
    "ENOTFOUND",
    "EAI_AGAIN",
    "EHOSTUNREACH",
    "CERT_HAS_EXPIRED",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "ERR_SSL_WRONG_VERSION_NUMBER",
  ].map((code): [string, unknown, DatabaseTrouble] => [code, node(code), "outage"]),
  ...[
    "Connection terminated",
    "Connection terminated unexpectedly",
    "Connection terminated due to connection timeout",
    "timeout exceeded when trying to connect",
    "Query read timeout",
    "Client has encountered a connection error and is not queryable",
  ].map((text): [string, unknown, DatabaseTrouble] => [text, new Error(text), "outage"]),
];

test.each(TABLE)("%s", (_name, error, any, own = any) => {
  expect([readTrouble(error), troubleOf(error)]).toEqual([any, own]);
  expect(isConnectionLoss(error)).toBe(any === "outage");
});

test.each(["08001", "08006", "28P01", "3D000"])(
  "what the session outlives is of another server: %s",
  (code) => {
    expect(isConnectionLoss(says(code))).toBe(false);
    expect(isConnectionLoss(pooler(code, "of a pooler"))).toBe(true);
    // Where Postgres speaks another language, nobody can tell.
    expect(isConnectionLoss(says(code, { severity: "FEHLER" }))).toBe(true);
    expect(troubleOf(says(code))).toBe("outage");
  },
);

// The words are pg's, not its documentation's: a release that changes them must be noticed.
describe("what the driver says", () => {
  const meet = async (
    options: pg.PoolConfig,
    spoil?: (pool: pg.Pool) => Promise<unknown>,
    query: pg.QueryConfig = { text: "select pg_sleep(1)" },
  ) => {
    const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 1, ...options });
    pool.on("error", () => {});
    try {
      await spoil?.(pool);
      return await pool.query(query).then(
        () => undefined,
        (error) => readTrouble(error),
      );
    } finally {
      if (!pool.ended) await pool.end();
    }
  };

  test("of a pool that is closed", async () => {
    expect(await meet({}, (pool) => pool.end())).toBe("closed");
  });

  test("of a query with too few values", async () => {
    expect(await meet({}, undefined, { text: "select $1::int, $2::int", values: [1] })).toBe(
      "refused",
    );
  });

  test("of a connection that ends under a query", async () => {
    const killed = meet({ application_name: "to be killed" });
    const other = new pg.Client({ connectionString: process.env.DATABASE_URL });
    await other.connect();
    await expect
      .poll(async () => {
        const kill =
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'to be killed' and query ~ 'pg_sleep'";
        return (await other.query(kill)).rowCount;
      })
      .toBe(1);
    expect(await killed).toBe("outage");
    await other.end();
  });

  test("of an answer that does not come", async () => {
    const query = answeredWithin(50, { text: "select pg_sleep(1)" });
    expect(await meet({}, undefined, query)).toBe("outage");
  });

  test("of a pool without a free connection", async () => {
    let client: pg.PoolClient | undefined;
    const met = await meet({ connectionTimeoutMillis: 50 }, async (pool) => {
      client = await pool.connect();
      setTimeout(() => client?.release(), 200);
    });
    expect(met).toBe("outage");
  });

  test("of a server that takes the connection and is silent", async () => {
    const server = await startFakePostgres("silent");
    expect(await meet({ connectionString: server.url, connectionTimeoutMillis: 50 })).toBe(
      "outage",
    );
    await server.close();
  });

  test("of a server that speaks something else", async () => {
    const server = await startFakePostgres(message("?"));
    expect(await meet({ connectionString: server.url })).toBe("outage");
    await server.close();
  });

  test("of a server without TLS", async () => {
    expect(await meet({ ssl: true })).toBe("outage");
  });
});
