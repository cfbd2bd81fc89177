/** Migrations beside a fleet at work: they wait for a table so briefly that nobody is held up, and for each other. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Migration, MigrationFailed, migrate, readMigrations } from "./migrate.ts";

const schema = `engine_m${randomBytes(4).toString("hex")}`;
const pool = new pg.Pool({ connectionString: String(process.env.DATABASE_URL), max: 4 });
const migration = (name: string, sql: string): Migration => ({ schema, name, sql, sha256: name });

async function runAll(...migrations: Migration[]): Promise<string[]> {
  const client = await pool.connect();
  try {
    return await migrate(client, migrations);
  } finally {
    client.release();
  }
}

/** Holds the table until it is called. */
async function hold(table: string): Promise<() => Promise<void>> {
  const holder = await pool.connect();
  await holder.query(`begin; lock table ${table} in access share mode`);
  return async () => {
    await holder.query("rollback");
    holder.release();
  };
}

beforeAll(() => runAll(migration("1", `create table ${schema}.facts (fact text)`)));
afterAll(async () => {
  await pool.query(`drop schema ${schema} cascade`);
  await pool.query("delete from engine.migrations where schema = $1", [schema]);
  await pool.end();
});

test("a table that somebody reads is waited for in turns, between which others write to it", async () => {
  const release = await hold(`${schema}.facts`);
  const migrated = runAll(migration("2", `alter table ${schema}.facts add column at bigint`));
  await sleep(200);
  const startedAt = performance.now();
  await pool.query(`insert into ${schema}.facts (fact) values ('written meanwhile')`);
  // The rest of the migration's 2 s.
  expect(performance.now() - startedAt).toBeLessThan(2_500);
  await release();
  expect(await migrated).toEqual([`${schema}/2`]);
});

test("who migrates at the same time is waited for, and finds it done", async () => {
  const slow = migration("3", `select pg_sleep(3); create table ${schema}.more (fact text)`);
  const both = await Promise.all([runAll(slow), runAll(slow)]);
  expect(both.flat()).toEqual([`${schema}/3`]);
});

test("a table that is held for good is named as such, and the user told that it may be tried again", async () => {
  const held = Object.assign(new Error("canceling statement due to lock timeout"), {
    code: "55P03",
  });
  const failed = new MigrationFailed("engine/9", held);
  expect(failed.temporary).toBe(true);
  expect(failed.message).toContain("pg_locks");
});

test("the owner, as whom a worker runs in development, waits no longer for a lock than an engine's transaction", async () => {
  await runAll(...(await readMigrations()));
  const owner = new pg.Client({ connectionString: String(process.env.DATABASE_URL) });
  await owner.connect();
  const { rows } = await owner.query("show lock_timeout");
  await owner.end();
  expect(rows).toEqual([{ lock_timeout: "2s" }]);
});
