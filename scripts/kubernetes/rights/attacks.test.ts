/** The Postgres role that `make rights` prints for an engine reaches nothing that is not the engine's. */
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase } from "@tl-engine/shared/stores/database";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRoleFleet, type RoleFleet } from "./testing/role-fleet.ts";

let roles: RoleFleet;
beforeAll(async () => {
  roles = await openRoleFleet();
});
afterAll(() => roles?.close());

const open = (databaseUrl: string, max = 1) =>
  openDatabase({ databaseUrl, max, name: "attack" }, createLog({}, "silent"));

test("no log has the password, and Postgres keeps only its verifier", async () => {
  const { rows } = await roles.fleet.pool.query(
    "select rolpassword from pg_authid where rolname like 'engine\\_%'",
  );
  expect(rows).toHaveLength(roles.workers.length);
  for (const { rolpassword } of rows) expect(rolpassword).toMatch(/^SCRAM-SHA-256\$/);
  const log = roles.log();
  expect(log).toMatch(/statement: ALTER (?:USER|ROLE) engine_activities PASSWORD/);
  expect(log).not.toContain(roles.password);
});

const MODES = [
  ...["access share", "row share", "row exclusive", "share update exclusive", "share"],
  ...["share row exclusive", "exclusive", "access exclusive"],
];
/** SELECT on the whole table allows it, and it is what any read takes. */
const HARMLESS = "access share";
const insertOf = (engine: string, status: string) =>
  `insert into engine.results (engine, job_id, status, attempt, type, input_hash, reply, worker, started_at)
   values ('${engine}', 'x', '${status}', 1, 't', 'h', '{}', 'w', now())`;

/** What comes of it: a code, or how many rows. Nothing stays. */
async function attack(engine: string, sql: string): Promise<string | number | null> {
  const pool = open(roles.urlOf(engine));
  try {
    const client = await pool.connect();
    try {
      await client.query("begin");
      return (await client.query(sql)).rowCount;
    } catch (error) {
      return (error as { code: string }).code;
    } finally {
      client.release(true);
    }
  } finally {
    await pool.end();
  }
}

const DENIED = "42501";

test.each([
  ...MODES.filter((mode) => mode !== HARMLESS).map(
    (mode) => `lock table engine.results in ${mode} mode`,
  ),
  "truncate engine.results",
  "delete from engine.results",
  "truncate engine_analytics.changes",
  "update engine.results set job_id = 'y'",
  "insert into engine.results (engine, job_id, finished_at) values ('activities', 'x', 'infinity')",
  insertOf("neighbour", "succeeded"),
  "select engine.purge_results('neighbour', 30)",
  "set role engine",
  "create temp table own ()",
  "create table public.own ()",
  "create schema own",
  "select lo_create(0)",
  "select lo_from_bytea(0, 'x')",
  "update engine.migrations set name = ''",
])("no engine may: %s", async (sql) => {
  for (const { definition } of roles.workers)
    expect(await attack(definition.name, sql)).toBe(DENIED);
});

test("an engine neither sees nor changes another's row, nor its own once it succeeded", async () => {
  const other = await roles.insertRow("analytics", "failed", 0);
  const succeeded = await roles.insertRow("activities", "succeeded", 0);
  const failed = await roles.insertRow("activities", "failed", 0);
  const update = (id: string) => `update engine.results set code = 'c' where job_id = '${id}'`;
  const read = `select from engine.results where job_id in ('${other}', '${failed}')`;
  expect(await attack("activities", read)).toBe(1);
  expect(await attack("activities", update(other))).toBe(0);
  expect(await attack("activities", update(succeeded))).toBe(0);
  expect(await attack("activities", update(failed))).toBe(1);
});

test("burials write and change failed rows alone", async () => {
  const succeeded = await roles.insertRow("activities", "succeeded", 0);
  const failed = await roles.insertRow("activities", "failed", 0);
  const update = (id: string, set: string) =>
    `update engine.results set ${set} where job_id = '${id}'`;
  expect(await attack("burials", update(succeeded, "status = 'failed'"))).toBe(0);
  expect(await attack("burials", update(failed, "status = 'succeeded'"))).toBe(DENIED);
  expect(await attack("burials", update(failed, "attempt = 2"))).toBe(1);
  expect(await attack("burials", insertOf("activities", "succeeded"))).toBe(DENIED);
  expect(await attack("burials", insertOf("activities", "failed"))).toBe(1);
});

test("a purge by an engine leaves what is younger than two days, whatever it asks for", async () => {
  const young = await roles.insertRow("activities", "succeeded", 1);
  const old = await roles.insertRow("activities", "succeeded", 3);
  const pool = open(roles.urlOf("activities"));
  await pool.query("select engine.purge_results('activities', 0)");
  await pool.end();
  expect([await roles.statusOf(young), await roles.statusOf(old)]).toEqual([
    "succeeded",
    undefined,
  ]);
});

test("no other database lets it in, and its own only so often at once", async () => {
  for (const database of ["postgres", "template1"]) {
    const url = new URL(roles.urlOf("burials"));
    url.pathname = database;
    const pool = open(url.href);
    await expect(pool.query("select 1")).rejects.toMatchObject({ code: DENIED });
    await pool.end();
  }
  const { rows } = await roles.fleet.pool.query(
    "select rolconnlimit from pg_roles where rolname = 'engine_burials'",
  );
  const limit = rows[0].rolconnlimit;
  const pool = open(roles.urlOf("burials"), limit + 1);
  const opened = await Promise.allSettled(Array.from({ length: limit + 1 }, () => pool.connect()));
  for (const one of opened) if (one.status === "fulfilled") one.value.release(true);
  await pool.end();
  // too_many_connections
  const refused = opened.filter(({ status }) => status === "rejected");
  expect(refused).toMatchObject([{ reason: { code: "53300" } }]);
});

test("its timeouts hold behind a pooler, which takes no setting from a worker", async () => {
  const pool = open(await roles.poolerUrlOf("activities"));
  const { rows } = await pool.query(
    "select current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement",
  );
  await pool.end();
  expect(rows).toEqual([{ lock: "500ms", statement: "1min" }]);
});
