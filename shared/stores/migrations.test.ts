/** Migrations on a database of an earlier version, whose roles work on. */
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate, readMigrations } from "./migrate.ts";

const name = `migrations_${process.pid}`;
const engineRole = `engine_${name}`;
const publisherRole = `publisher_${name}`;
let admin: pg.Client;
let client: pg.Client;

const open = async (database?: string) => {
  const url = new URL(String(process.env.DATABASE_URL));
  if (database !== undefined) url.pathname = database;
  const opened = new pg.Client({ connectionString: url.href });
  await opened.connect();
  return opened;
};

beforeAll(async () => {
  admin = await open();
  await admin.query(`create database ${name}`);
  for (const role of [engineRole, publisherRole]) await admin.query(`create role ${role}`);
  client = await open(name);
});
afterAll(async () => {
  await client?.end();
  await admin.query(`drop database ${name}`);
  for (const role of [engineRole, publisherRole]) await admin.query(`drop role ${role}`);
  await admin.end();
});

test("app_id comes with the rights that each role has to the columns beside it", async () => {
  const all = await readMigrations();
  await migrate(
    client,
    all.filter(({ name: file }) => file < "004"),
  );
  // As make rights printed them before.
  await client.query(`
    grant usage on schema engine to ${engineRole}, ${publisherRole};
    grant select, insert (engine, job_id, type, publisher), update (status, type) on engine.results to ${engineRole};
    grant select (engine, job_id, publisher) on engine.results to ${publisherRole}`);
  await migrate(client, all);
  const { rows } = await client.query(
    `select r.role, p.privilege, has_column_privilege(r.role, 'engine.results', 'app_id', p.privilege) as may
     from unnest($1::text[]) as r(role), unnest(array['select', 'insert', 'update']) as p(privilege)
     order by 1, 2`,
    [[engineRole, publisherRole]],
  );
  expect(rows.map(({ role, privilege, may }) => [role, privilege, may])).toEqual([
    [engineRole, "insert", true],
    [engineRole, "select", true],
    [engineRole, "update", true],
    [publisherRole, "insert", false],
    [publisherRole, "select", true],
    [publisherRole, "update", false],
  ]);
  // No right on the whole table, with which it could be locked.
  await client.query(`set role ${engineRole}`);
  await expect(
    client.query("begin; lock table engine.results in row exclusive mode"),
  ).rejects.toThrow("permission denied");
  await client.query("rollback; reset role");
});
