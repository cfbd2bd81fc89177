/** Each check of Postgres, broken on a server of its own, behind a pooler of its own. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase, type Pool } from "@tl-engine/shared/stores/database";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type OwnServers,
  openOwnServers,
  selfSigned,
} from "../../../../shared/testing/own-servers.ts";
import { proxyBefore } from "../../../../shared/testing/proxy.ts";
import { roleStatements } from "../../../kubernetes/rights/postgres.ts";
import { loadWorkers } from "../../../workers.ts";
import { examine, told } from "../testing/findings.ts";
import { postgres } from "./part.ts";

const DAY_MS = 86_400_000;
let servers: OwnServers;
let url: string;
let admin: Pool;

beforeAll(async () => {
  servers = openOwnServers();
  url = String((await servers.postgres()).urls.DATABASE_URL);
  admin = openDatabase({ databaseUrl: url, max: 1, name: "test" }, createLog({}, "silent"));
  await admin.query("create database empty");
  const client = await admin.connect();
  for (const { folder } of await loadWorkers()) await migrate(client, await readMigrations(folder));
  client.release();
  await admin.query("create role engine_activities login");
  for (const statement of roleStatements("engine_activities", "engine_activities"))
    await admin.query(statement).catch((error) => {
      // An engine without tables has no schema.
      if (error.code !== "3F000") throw error;
    });
});
afterAll(async () => {
  await admin?.end();
  await servers?.end();
});

const change = (parts: Partial<URL>, from = url) => Object.assign(new URL(from), parts).href;
const at = (databaseUrl: string, env = {}) => ({ env: { DATABASE_URL: databaseUrl, ...env } });
const engine = () => change({ username: "engine_activities" });

test("a good server: nothing fails", async () => {
  const results = await examine(postgres, at(url));
  expect(results.filter(({ level }) => level === "failure")).toEqual([]);
  expect(told(results, "postgres.reach")).toMatch(/^ok: PostgreSQL \d+\.\d+, [\d.]+ ms$/);
  expect(told(results, "postgres.schema")).toMatch(/^ok: \d+ migrations$/);
  expect(told(results, "postgres.pooler")).toBe("ok: no pooler: the server itself");
  expect(told(results, "postgres.prepared")).toBe("ok: no pooler in between");
  expect(told(results, "postgres.clock")).toMatch(/^ok: /);
});

describe("schema", () => {
  test("none", async () => {
    const results = await examine(postgres, at(change({ pathname: "/empty" })));
    expect(told(results, "postgres.schema")).toMatch(
      /^failure: migrations are missing; .*no engine schema; .*; make migrate$/,
    );
    expect(told(results, "postgres.rights")).toMatch(/^failure: engine may too little; /);
  });

  test.each([
    [
      "edited",
      "update engine.migrations set sha256 = 'x' || sha256 where name = '001_results.sql'",
      "update engine.migrations set sha256 = substr(sha256, 2) where name = '001_results.sql'",
      /^failure: 1 migrations were edited; engine\/001_results\.sql ran with another text/,
    ],
    [
      "newer",
      "insert into engine.migrations (schema, name, sha256) values ('engine', '999_later.sql', '')",
      "delete from engine.migrations where name = '999_later.sql'",
      /^warning: 1 migrations more .*engine\/999_later\.sql/,
    ],
  ])("%s", async (_, breaks, mends, message) => {
    await admin.query(breaks);
    try {
      expect(told(await examine(postgres, at(url)), "postgres.schema")).toMatch(message);
    } finally {
      await admin.query(mends);
    }
  });
});

describe("rights and limits", () => {
  test("a superuser may too much", async () => {
    expect(told(await examine(postgres, at(url)), "postgres.rights")).toMatch(
      /^warning: engine may too much: superuser, .*; engine is no engine's role: .*make rights NAME=/,
    );
  });

  test("what make rights prints is just enough; more is told, and less", async () => {
    const rights = async () => told(await examine(postgres, at(engine())), "postgres.rights");
    expect(await rights()).toBe("ok: engine_activities may what it needs");
    await admin.query("grant delete on engine.results to engine_activities");
    expect(await rights()).toMatch(
      /^warning: .* too much: deletes results; .*than make rights prints; make rights NAME=activities$/,
    );
    await admin.query("revoke all on engine.results from engine_activities");
    expect(await rights()).toMatch(/^failure: engine_activities may too little; /);
    for (const statement of roleStatements("engine_activities", undefined))
      await admin.query(statement);
  });

  test("fewer connections than the workers open", async () => {
    const limit = async () => told(await examine(postgres, at(engine())), "postgres.connections");
    expect(await limit()).toMatch(/^ok: \d+ allowed, \d+ at most$/);
    await admin.query("alter role engine_activities connection limit 7");
    expect(await limit()).toMatch(
      /^failure: 7 allowed, \d+ at most; the role engine_activities lets 7 .*; make rights NAME=activities$/,
    );
    await admin.query("alter role engine_activities connection limit -1");
    await admin.query("alter database enginedb connection limit 7");
    expect(await limit()).toMatch(/^failure: 7 allowed, \d+ at most; the database lets 7 /);
    // Nothing is left for the checks themselves.
    await admin.query("alter database enginedb connection limit 2");
    expect(await limit()).toMatch(
      /^(?:skipped: not looked at|failure: (?:not fit; .*53300|2 allowed))/,
    );
    await admin.query("alter database enginedb connection limit -1");
  });
});

describe("behind a pooler", () => {
  /** PgBouncer in a mode. */
  async function poolerIn(mode: string): Promise<string> {
    const { main, urls, ready } = await servers.pgbouncer(url);
    const file = String(main.command.args[0]);
    writeFileSync(
      file,
      readFileSync(file, "utf8").replace(/^pool_mode = .*$/m, `pool_mode = ${mode}`),
    );
    process.kill(main.pid as number, "SIGHUP");
    await ready();
    return String(urls.POOLER_URL);
  }

  test("transaction mode is right; its prepared statements get lost, of one that is old", async () => {
    const results = await examine(postgres, at(await poolerIn("transaction")));
    expect(told(results, "postgres.pooler")).toBe("ok: a pooler in transaction mode");
    expect(told(results, "postgres.connections")).toMatch(/^skipped: behind a pooler/);
    // PgBouncer follows them from 1.21 on, where it is told to.
    expect(told(results, "postgres.prepared")).toMatch(
      /^(?:warning: the pooler loses them; .*DATABASE_PREPARED=0|ok: the pooler follows them)/,
    );
    expect(results.filter(({ level }) => level === "failure")).toEqual([]);
  });

  test("without prepared statements there are none to lose", async () => {
    const results = await examine(
      postgres,
      at(await poolerIn("transaction"), { DATABASE_PREPARED: "0" }),
    );
    expect(told(results, "postgres.prepared")).toBe("ok: not used (DATABASE_PREPARED=0)");
  });

  test("session mode is warned of", async () => {
    expect(told(await examine(postgres, at(await poolerIn("session"))), "postgres.pooler")).toMatch(
      /^warning: a pooler, not seen to share; /,
    );
  });

  test("statement mode fails", async () => {
    expect(
      told(await examine(postgres, at(await poolerIn("statement"))), "postgres.pooler"),
    ).toMatch(/^failure: it takes no transactions; .*; set pool_mode = transaction/);
  });
});

test("a clock that goes wrong", async () => {
  const given = { ...at(url), now: () => Date.now() + 60_000 };
  expect(told(await examine(postgres, given), "postgres.clock")).toMatch(
    /^failure: (?:60|59)\.\d s behind ours; /,
  );
});

describe("TLS", () => {
  beforeAll(async () => {
    const { cert, key } = selfSigned(servers.folder, "localhost");
    const { rows } = await admin.query("show data_directory");
    // The server's own user must own its key, and it owns what it writes.
    for (const [from, name] of [
      [cert, "server.crt"],
      [key, "server.key"],
    ] as const) {
      const lines = readFileSync(from, "utf8")
        .trim()
        .split("\n")
        .map((line) => `'${line}'`);
      const to = join(rows[0].data_directory, name);
      await admin.query(`copy (select unnest(array[${lines}])) to '${to}'`);
      await admin.query(`copy (select 1) to program 'chmod 600 ${to}'`);
    }
    await admin.query("alter system set ssl = on");
    await admin.query("select pg_reload_conf()");
  });

  test("a certificate that ends soon, one that has, and a login that is bound to nothing", async () => {
    const secure = at(change({ search: "?sslmode=no-verify" }));
    await expect
      .poll(async () => told(await examine(postgres, secure), "postgres.tls"))
      .toMatch(/^warning: expires in [01] days; .* -starttls postgres /);
    const later = await examine(postgres, { ...secure, now: () => Date.now() + 3 * DAY_MS });
    expect(told(later, "postgres.tls")).toMatch(/^failure: expired on /);
    expect(told(later, "postgres.channel-binding")).toMatch(
      /^warning: not required; .*; add channel_binding=require to DATABASE_URL$/,
    );
  });

  test("a binding that the server does not keep", async () => {
    const results = await examine(postgres, at(change({ search: "?channel_binding=require" })));
    expect(told(results, "postgres.reach")).toMatch(/^failure: not reached; .*is not trusted: /);
    expect(told(results, "postgres.channel-binding")).toMatch(/^skipped: not looked at/);
  });
});

describe("the way there", () => {
  test("no such database, and no secret in what is told", async () => {
    const results = await examine(
      postgres,
      at(change({ pathname: "/nope", password: "hunter2-and" })),
    );
    expect(told(results, "postgres.reach")).toMatch(
      /^failure: not reached; .*no such database.*; psql /,
    );
    expect(JSON.stringify(results)).not.toContain("hunter2");
  });

  test("one that hangs is told, and not waited for", async () => {
    const proxy = await proxyBefore(url);
    try {
      proxy.apply({ kind: "blackHole" });
      const startedAt = performance.now();
      const results = await examine(postgres, { ...at(proxy.url), limitMs: 700 });
      expect(performance.now() - startedAt).toBeLessThan(4_000);
      expect(told(results, "postgres.reach")).toMatch(/^failure: no answer within 700 ms; .*hangs/);
    } finally {
      await proxy.close();
    }
  });

  test("a check that hangs holds up no other", async () => {
    await admin.query("begin");
    await admin.query("lock table engine.migrations");
    try {
      const results = await examine(postgres, { ...at(url), limitMs: 1_500 });
      expect(told(results, "postgres.schema")).toMatch(/^failure: no answer within 1500 ms; /);
      expect(told(results, "postgres.clock")).toMatch(/^ok: /);
    } finally {
      await admin.query("rollback");
    }
  });
});
