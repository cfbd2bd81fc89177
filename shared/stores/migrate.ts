/** Runs SQL migrations in order, once each, under a lock; and tells whether all have run. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type pg from "pg";
import { StartFailure } from "../process/start-failure.ts";
import { readTrouble } from "./trouble.ts";

export interface Migration {
  /** `engine`, or `engine_<name>` for an owning engine. */
  schema: string;
  /** File name, e.g. `001_results.sql`. */
  name: string;
  sql: string;
  sha256: string;
}

/** The schema is older or newer than the code. */
export class WrongSchema extends StartFailure {
  override readonly name = "WrongSchema";
  constructor(message: string, options: ErrorOptions = {}) {
    super("postgres", "DATABASE_URL", `Postgres (DATABASE_URL): ${message}`, {
      ...options,
      temporary: false,
    });
  }
}

const OWN = fileURLToPath(new URL("./migrations", import.meta.url));

/** The library's own migrations, then those beside a worker, in file-name order. */
export async function readMigrations(workerFolder?: string): Promise<Migration[]> {
  const own = await readFolder(OWN, "engine");
  if (workerFolder === undefined) return own;
  const schema = `engine_${basename(workerFolder).replaceAll("-", "_")}`;
  const folder = join(workerFolder, "migrations");
  // A worker without tables has none.
  return existsSync(folder) ? [...own, ...(await readFolder(folder, schema))] : own;
}

async function readFolder(folder: string, schema: string): Promise<Migration[]> {
  const files = await readdir(folder);
  const names = files.filter((file) => file.endsWith(".sql")).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(folder, name), "utf8");
      return { schema, name, sql, sha256: createHash("sha256").update(sql).digest("hex") };
    }),
  );
}

// "tlengine" in ASCII; any constant that nobody else uses.
const LOCK = "8389772294741058149";

/** A migration that Postgres does not take; nothing of it stays. */
export class MigrationFailed extends StartFailure {
  override readonly name = "MigrationFailed";
  constructor(migration: string, cause: Error) {
    const { code } = cause as { code?: unknown };
    const advice =
      code === "42501"
        ? "the user may not: migrate as the owner of the schema"
        : code === LOCK_NOT_AVAILABLE
          ? "another session holds what it changes (see pg_locks): end it, or run it again when it has ended"
          : readTrouble(cause) === "outage"
            ? "run it again"
            : "mend its SQL, or what is in its way";
    super(
      "postgres",
      "DATABASE_URL",
      `Postgres (DATABASE_URL) does not take the migration ${migration} (${code ?? ""} ${cause.message}): ${advice}`,
      { cause, temporary: code === LOCK_NOT_AVAILABLE || readTrouble(cause) === "outage" },
    );
  }
}

/** All that comes after a migration that waits for a table waits behind it, results too: so long, and no longer at once. */
const LOCK_TIMEOUT_MS = 2_000;
/** Between two tries, in which those behind it pass. */
const LOCK_PAUSE_MS = 1_000;
/** A table that is held for longer than a minute is held by somebody who has to be told. */
const LOCK_TRIES = 20;
/** SQLSTATE of a lock that was not to be had within lock_timeout. */
const LOCK_NOT_AVAILABLE = "55P03";

/**
 * Each migration in a transaction of its own, which holds an advisory lock (transaction-scoped, so
 * that it works through a pooler). Returns the names of those that ran.
 * @throws {WrongSchema} when a migration that ran was edited since.
 * @throws {MigrationFailed}
 */
export async function migrate(client: pg.ClientBase, migrations: Migration[]): Promise<string[]> {
  const ran: string[] = [];
  for (const migration of migrations)
    if (await runOnceUnlocked(client, migration)) ran.push(`${migration.schema}/${migration.name}`);
  return ran;
}

/** Returns whether it ran now. */
async function runOnceUnlocked(client: pg.ClientBase, migration: Migration): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      return await runOnce(client, migration);
    } catch (error) {
      await client.query("rollback").catch(() => {});
      if (error instanceof WrongSchema) throw error;
      const isLocked = (error as { code?: unknown }).code === LOCK_NOT_AVAILABLE;
      if (!isLocked || tries === LOCK_TRIES)
        throw new MigrationFailed(`${migration.schema}/${migration.name}`, error as Error);
    }
    await sleep(LOCK_PAUSE_MS);
  }
}

async function runOnce(client: pg.ClientBase, migration: Migration): Promise<boolean> {
  const { schema, name, sql, sha256 } = migration;
  await client.query("begin");
  // Another one that migrates is waited for, however long it takes: nobody waits behind this lock but its like.
  await client.query("set local lock_timeout = 0");
  await client.query(`select pg_advisory_xact_lock(${LOCK})`);
  await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
  await client.query("create schema if not exists engine");
  await client.query(`create schema if not exists ${schema}`);
  await client.query(
    "create table if not exists engine.migrations (schema text, name text, sha256 text not null, ran_at timestamptz not null default now(), primary key (schema, name))",
  );
  const { rows } = await client.query(
    "select sha256 from engine.migrations where schema = $1 and name = $2",
    [schema, name],
  );
  if (rows.length === 0) {
    await client.query(sql);
    await client.query("insert into engine.migrations (schema, name, sha256) values ($1, $2, $3)", [
      schema,
      name,
      sha256,
    ]);
  } else if (rows[0].sha256 !== sha256) {
    throw new WrongSchema(`${schema}/${name} was edited after it ran; add a new migration instead`);
  }
  await client.query("commit");
  return rows.length === 0;
}

/** @throws {WrongSchema} naming the migrations that did not run. */
export async function verifySchema(client: Pick<pg.ClientBase, "query">, migrations: Migration[]) {
  const advice = 'run "make migrate" against this database first';
  const known = await client
    .query("select schema || '/' || name as name from engine.migrations")
    .catch((error) => {
      if (error.code === "42P01" || error.code === "3F000")
        throw new WrongSchema(`the database has no engine schema; ${advice}`, { cause: error });
      throw error;
    });
  const there = new Set(known.rows.map((row) => row.name));
  const missing = migrations
    .map(({ schema, name }) => `${schema}/${name}`)
    .filter((name) => !there.has(name));
  if (missing.length > 0)
    throw new WrongSchema(`migrations missing: ${missing.join(", ")}; ${advice}`);
}
