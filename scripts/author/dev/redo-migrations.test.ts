/** What happens to an engine's tables when its migration was edited: nothing, unless both asked for and one's own. */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase, type Pool } from "@tl-engine/shared/stores/database";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { afterAll, beforeAll, expect, test } from "vitest";
import { redoEdited } from "./redo-migrations.ts";

const databaseUrl = String(process.env.DATABASE_URL);
const engine = `redo${randomBytes(4).toString("hex")}`;
const schema = `engine_${engine}`;
const root = mkdtempSync(join(tmpdir(), "tl-engine-redo-"));
const folder = join(root, engine);
let pool: Pool;

const write = (sql: string) => writeFileSync(join(folder, "migrations/001_kept.sql"), sql);
async function migrateAll(): Promise<string[]> {
  const client = await pool.connect();
  try {
    return await migrate(client, await readMigrations(folder));
  } finally {
    client.release();
  }
}
const redo = async (isOwn: boolean, isWanted: boolean) => {
  const said: string[] = [];
  const say = (line: string) => said.push(line);
  await redoEdited({ databaseUrl, folders: [folder], isOwn, isWanted, say });
  return said;
};
const kept = async () => (await pool.query(`select * from ${schema}.kept`)).rows;

beforeAll(async () => {
  pool = openDatabase({ databaseUrl, max: 1, name: "redo test" }, createLog({}, "silent"));
  mkdirSync(join(folder, "migrations"), { recursive: true });
  write(`create table ${schema}.kept (one text)`);
  await migrateAll();
  await pool.query(`insert into ${schema}.kept values ('there')`);
});
afterAll(async () => {
  await pool.query(`drop schema if exists ${schema} cascade`);
  await pool.query("delete from engine.migrations where schema = $1", [schema]);
  await pool.end();
  rmSync(root, { recursive: true });
});

test("what was not edited stays, whatever is asked for", async () => {
  expect(await redo(true, true)).toEqual([]);
  expect(await kept()).toEqual([{ one: "there" }]);
});

test("a given database is never touched; one's own only where asked for, and it says how", async () => {
  write(`create table ${schema}.kept (two text)`);
  expect(await redo(false, true)).toEqual([]);
  expect(await redo(true, false)).toEqual([expect.stringContaining("with REDO=1, make dev makes")]);
  expect(await kept()).toEqual([{ one: "there" }]);
  await expect(migrateAll()).rejects.toThrow("was edited after it ran");
  expect(await redo(true, true)).toEqual([expect.stringContaining("are made anew, empty")]);
  expect(await migrateAll()).toEqual([`${schema}/001_kept.sql`]);
  await pool.query(`insert into ${schema}.kept (two) values ('new')`);
  expect(await kept()).toEqual([{ two: "new" }]);
});
