/** What a start says of a Postgres or a Redis that is not there, or not fit: on real servers. */
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { Redis } from "ioredis";
import pg from "pg";
import pino from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StartFailure } from "../process/start-failure.ts";
import { refuses, startFakePostgres } from "../testing/fake-postgres.ts";
import { type OwnServers, openOwnServers, selfSigned } from "../testing/own-servers.ts";
import { openDatabase } from "./database.ts";
import { migrate, readMigrations } from "./migrate.ts";
import { openRedis } from "./redis.ts";
import { checkDatabase, checkRedis } from "./start-checks.ts";

const PASSWORD = "hunter2%21";
let servers: OwnServers;
/** Postgres with TLS and passwords; a Redis in clear and by TLS, with a user of its own; one in cluster mode. */
let postgres: string;
let redis: URL;
let redisTlsPort: number;
let cluster: string;
let silent: Server;

beforeAll(async () => {
  servers = openOwnServers();
  const { cert, key } = selfSigned(servers.folder, "elsewhere.example");
  [redisTlsPort, postgres] = await Promise.all([freePort(), startSecurePostgres(cert, key)]);
  const tls = { "tls-port": String(redisTlsPort), "tls-cert-file": cert, "tls-key-file": key };
  const [one, two] = await Promise.all([
    servers.redis({ ...tls, "tls-ca-cert-file": cert, "tls-auth-clients": "no" }),
    servers.redis({ "cluster-enabled": "yes" }),
  ]);
  redis = new URL(String(one.urls.REDIS_URL));
  cluster = String(two.urls.REDIS_URL);
  const admin = new Redis(redis.href);
  const password = `>${decodeURIComponent(PASSWORD)}`;
  await admin.call("ACL", "SETUSER", "app", "on", password, "~*", "&*", "+@all");
  await admin.call("ACL", "SETUSER", "poor", "on", password, "~other:*", "+@all");
  await admin.call("ACL", "SETUSER", "quiet", "on", password, "~*", "&*", "+@all", "-info");
  admin.disconnect();
  silent = createServer((socket) => socket.on("error", () => {}).resume());
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
});
afterAll(async () => {
  silent?.close();
  await servers?.end();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** The role `app` needs TLS and a password; `engine` may come in clear. */
async function startSecurePostgres(cert: string, key: string): Promise<string> {
  const { urls } = await servers.postgres();
  const client = new pg.Client({ connectionString: urls.DATABASE_URL });
  await client.connect();
  const setting = async (name: string) => (await client.query(`show ${name}`)).rows[0][name];
  const data = await setting("data_directory");
  // The server's own user must own its key, and it owns what it writes.
  for (const [from, name] of [
    [cert, "server.crt"],
    [key, "server.key"],
  ] as const) {
    const lines = readFileSync(from, "utf8")
      .trim()
      .split("\n")
      .map((line) => `'${line}'`);
    await client.query(`copy (select unnest(array[${lines}])) to '${join(data, name)}'`);
    await client.query(`copy (select 1) to program 'chmod 600 ${join(data, name)}'`);
  }
  await client.query(`create role app login password '${decodeURIComponent(PASSWORD)}'`);
  await migrate(client, await readMigrations());
  await client.query("create database empty");
  await client.query("grant usage on schema engine to app");
  await client.query("alter system set ssl = on");
  writeFileSync(
    await setting("hba_file"),
    "hostssl all app all scram-sha-256\nhost all engine all trust\n",
  );
  await client.query("select pg_reload_conf()");
  await client.end();
  return String(urls.DATABASE_URL);
}

const at = (url: string | URL, change: Partial<URL>) => Object.assign(new URL(url), change).href;

async function met(check: Promise<unknown>): Promise<StartFailure> {
  const failure = await check.then(
    () => undefined,
    (error) => error,
  );
  expect(failure).toBeInstanceOf(StartFailure);
  for (const secret of [PASSWORD, decodeURIComponent(PASSWORD)])
    expect(failure.message).not.toContain(secret);
  return failure;
}

describe("Postgres", () => {
  const log = pino({ level: "silent" });
  async function start(databaseUrl: string, connectTimeoutMs = 15_000): Promise<void> {
    const pool = openDatabase({ databaseUrl, max: 1, name: "test" }, log);
    pool.options.connectionTimeoutMillis = connectTimeoutMs;
    try {
      await checkDatabase(pool, databaseUrl, await readMigrations());
    } finally {
      await pool.end();
    }
  }
  const app = (query = "", change: Partial<URL> = {}) =>
    at(postgres, { username: "app", password: PASSWORD, search: query, ...change });

  const REFUSED: [string, () => string, RegExp, boolean][] = [
    [
      "nobody listens",
      () => at(postgres, { port: "1" }),
      /does not answer.*nc -vz 127.0.0.1 1/,
      true,
    ],
    [
      "an unknown host",
      () => at(postgres, { hostname: "no.invalid" }),
      /unknown host.*getent/,
      true,
    ],
    [
      "a wrong password",
      () => app("?sslmode=no-verify", { password: "wrong" }),
      /refuses the login.*28P01/,
      false,
    ],
    ["no password", () => app("?sslmode=no-verify", { password: "" }), /holds none/, false],
    [
      "a wrong database",
      () => at(postgres, { pathname: "/nope" }),
      /no such database.*createdb/,
      false,
    ],
    ["no database", () => at(postgres, { pathname: "" }), /asked for no database/, false],
    ["plain to TLS-only", () => app(), /wants TLS.*sslmode/, false],
    ["a private CA", () => app("?sslmode=verify-full"), /NODE_EXTRA_CA_CERTS/, false],
    ["a role without rights", () => app("?sslmode=no-verify"), /make rights.*42501/, false],
    ["no migrations", () => at(postgres, { pathname: "/empty" }), /make migrate/, false],
    [
      "a parameter",
      () => at(postgres, { search: "?options=-c%20nope%3D1" }),
      /start-up parameter.*nope/,
      false,
    ],
    [
      "TLS to Redis",
      () => at(redis, { protocol: "postgres", search: "?sslmode=verify-full" }),
      /DATABASE_URL/,
      true,
    ],
  ];
  test.each(REFUSED)("%s", async (_name, url, message, temporary) => {
    const failure = await met(start(url(), 1_000));
    expect(failure).toMatchObject({ part: "postgres", variable: "DATABASE_URL", temporary });
    expect(failure.message).toMatch(message);
  });

  test("TLS to a server that has none", async () => {
    const url = at(String(process.env.DATABASE_URL), { search: "?sslmode=verify-full" });
    expect(await met(start(url))).toMatchObject({
      temporary: false,
      message: expect.stringMatching(/does not speak TLS.*sslmode=disable/),
    });
  });

  test("a port that is silent, and Redis' port", async () => {
    const { port } = silent.address() as AddressInfo;
    for (const other of [String(port), redis.port])
      expect(await met(start(at(postgres, { port: other }), 300))).toMatchObject({
        temporary: true,
        message: expect.stringMatching(/says nothing.*another service's/),
      });
  });

  test("RabbitMQ's port", async () => {
    const { hostname, port } = new URL(String(process.env.AMQP_URL));
    const failure = await met(start(at(postgres, { hostname, port: port || "5672" }), 1_000));
    expect(failure.message).toMatch(/another service's|that the port is Postgres's/);
  });

  test("a pooler that refuses a parameter, and one that has no server", async () => {
    for (const [text, message, temporary] of [
      ["unsupported startup parameter: statement_timeout", /ignore_startup_parameters/, false],
      ["no such database: nope", /no such database/, false],
      ["pgbouncer cannot connect to server", /can't be used now.*08P01/, true],
    ] as const) {
      const pooler = await startFakePostgres(refuses("08P01", text));
      const failure = await met(start(pooler.url));
      expect(failure).toMatchObject({ temporary, message: expect.stringMatching(message) });
      await pooler.close();
    }
  });

  test.skipIf(!process.env.POOLER_URL)("PgBouncer, and a parameter", async () => {
    const url = at(String(process.env.POOLER_URL), { search: "?statement_timeout=1000" });
    expect(await met(start(url))).toMatchObject({
      temporary: false,
      message: expect.stringMatching(/ignore_startup_parameters.*statement_timeout/),
    });
  });

  test("with TLS, the password, and channel binding, it is fit", async () => {
    // Only its rights are missing: it has been let in.
    const url = app("?sslmode=no-verify&channel_binding=require");
    expect((await met(start(url))).message).toContain("42501");
  });
});

describe("Redis", () => {
  async function start(redisUrl: string): Promise<string[]> {
    const warnings: string[] = [];
    const log = pino({ level: "warn" }, { write: (line) => warnings.push(JSON.parse(line).msg) });
    const opened = openRedis(redisUrl, log);
    try {
      await checkRedis(
        opened,
        { redisUrl, keys: ["engine:a", "engine:b"], channels: "engine:*" },
        log,
      );
      return warnings;
    } finally {
      opened.disconnect();
    }
  }
  const as = (username: string, password = PASSWORD) => at(redis, { username, password });

  const REFUSED: [string, () => string, RegExp][] = [
    ["a wrong password", () => as("app", "wrong"), /refuses the login/],
    ["a user that is not known", () => as("nobody"), /refuses the login/],
    ["a wrong database", () => at(redis, { pathname: "/99" }), /no such database/],
    ["a user without rights", () => as("poor"), /NOPERM.*make rights/],
    ["a cluster", () => cluster, /cluster mode/],
    ["a cluster, and a database", () => at(cluster, { pathname: "/1" }), /cluster mode/],
    [
      "a private CA",
      () => at(redis, { protocol: "rediss", port: String(redisTlsPort) }),
      /NODE_EXTRA_CA_CERTS/,
    ],
    [
      "RabbitMQ's port",
      () => at(redis, { port: new URL(String(process.env.AMQP_URL)).port || "5672" }),
      /is no Redis/,
    ],
  ];
  test.each(REFUSED)("%s is refused", async (_name, url, message) => {
    const failure = await met(start(url()));
    expect(failure).toMatchObject({ part: "redis", variable: "REDIS_URL", temporary: false });
    expect(failure.message).toMatch(message);
  });

  const GONE_ON: [string, () => string, RegExp][] = [
    ["TLS to plain", () => at(redis, { protocol: "rediss" }), /does not answer by TLS.*redis:/],
    ["nobody listens", () => at(redis, { port: "1" }), /does not answer.*nc -vz 127.0.0.1 1/],
    ["an unknown host", () => at(redis, { hostname: "no.invalid" }), /unknown host/],
    [
      "a silent port",
      () => at(redis, { port: String((silent.address() as AddressInfo).port) }),
      /says nothing/,
    ],
    ["plain to TLS-only", () => at(redis, { port: String(redisTlsPort) }), /rediss:/],
    ["Postgres' port", () => at(redis, { port: new URL(postgres).port }), /port is Redis's/],
  ];
  test.each(GONE_ON)("%s is gone on without, with a warning", async (_name, url, message) => {
    expect(await start(url())).toContainEqual(expect.stringMatching(message));
  });

  test("a right login is fit, and needs no CONFIG and no INFO", async () => {
    expect(await start(as("app"))).toEqual([]);
    expect(await start(as("quiet"))).toEqual([expect.stringContaining("eviction")]);
  });
});
