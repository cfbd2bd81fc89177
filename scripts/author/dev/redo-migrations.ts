/**
 * Makes an engine's tables anew after one of its migrations was edited: for the database of one's own machine alone,
 * and only where asked for, since what the tables hold is lost.
 */
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase, type PoolClient } from "@tl-engine/shared/stores/database";
import { type Migration, readMigrations } from "@tl-engine/shared/stores/migrate";

export interface RedoOptions {
  databaseUrl: string;
  /** Folders of the workers. */
  folders: string[];
  /** Whether the database is one that the tools started here; a given one is somebody's. */
  isOwn: boolean;
  /** REDO=1. */
  isWanted: boolean;
  say(line: string): void;
}

type Client = Pick<PoolClient, "query">;

/** Drops the tables of the engines that have an edited migration, so that the next `migrate` makes them anew. */
export async function redoEdited(options: RedoOptions): Promise<void> {
  const { databaseUrl, folders, isOwn, isWanted, say } = options;
  if (!isOwn) return;
  const pool = openDatabase(
    { databaseUrl, max: 1, name: "tl-engine dev" },
    createLog({}, "silent"),
  );
  try {
    const client = await pool.connect();
    try {
      for (const folder of folders) {
        const [edited] = await editedOf(client, await readMigrations(folder));
        if (edited === undefined) continue;
        const { schema, name } = edited;
        if (isWanted) {
          await dropTables(client, schema);
          say(`${schema}/${name} was edited: the tables of ${schema} are made anew, empty`);
        } else
          say(
            `${schema}/${name} was edited after it ran: with REDO=1, make dev makes the tables of ${schema} anew, empty`,
          );
      }
    } finally {
      client.release(true);
    }
  } finally {
    await pool.end();
  }
}

/** Of an engine's own schema: the runtime's, `engine`, holds the results of all. */
async function editedOf(client: Client, migrations: Migration[]): Promise<Migration[]> {
  const own = migrations.filter(({ schema }) => schema !== "engine");
  if (own.length === 0) return [];
  const { rows: there } = await client.query(
    "select 1 where to_regclass('engine.migrations') is not null",
  );
  if (there.length === 0) return [];
  const { rows } = await client.query<{ schema: string; name: string; sha256: string }>(
    "select schema, name, sha256 from engine.migrations where schema = $1",
    [own[0]?.schema],
  );
  return own.filter(({ name, sha256 }) =>
    rows.some((ran) => ran.name === name && ran.sha256 !== sha256),
  );
}

async function dropTables(client: Client, schema: string): Promise<void> {
  await client.query("begin");
  // A worker that holds a transaction open would be waited for without end.
  await client.query("set local lock_timeout = '5s'");
  await client.query(`drop schema if exists ${schema} cascade`);
  await client.query("delete from engine.migrations where schema = $1", [schema]);
  await client.query("commit");
}
