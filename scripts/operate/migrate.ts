/** Runs the SQL migrations of the library and of every worker. Use the direct host, not the pooler. */

import "../show/closed-pipe.ts";
import { createLog } from "@tl-engine/shared/process/log";
import { StartFailure } from "@tl-engine/shared/process/start-failure";
import { openDatabase } from "@tl-engine/shared/stores/database";
import { explainPostgres } from "@tl-engine/shared/stores/explain-postgres";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { printable } from "../show/terminal/printable.ts";
import { loadWorkers } from "../workers.ts";
import { readEnvironment } from "./environment.ts";

const { DATABASE_URL, LOG_LEVEL } = readEnvironment({ DATABASE_URL: true, LOG_LEVEL: true });

async function migrateAll(): Promise<string[]> {
  const pool = openDatabase(
    { databaseUrl: DATABASE_URL, max: 1, name: "tl-engine migrate" },
    createLog({}, LOG_LEVEL),
  );
  try {
    const client = await pool.connect().catch((error) => {
      throw explainPostgres(error, DATABASE_URL);
    });
    try {
      const ran: string[] = [];
      for (const { folder } of await loadWorkers())
        ran.push(...(await migrate(client, await readMigrations(folder))));
      return ran;
    } finally {
      client.release(true);
    }
  } finally {
    await pool.end();
  }
}

try {
  const ran = await migrateAll();
  console.log(`migrate: ran=${ran.length}${ran.map((name) => `\n  ${name}`).join("")}`);
} catch (error) {
  if (!(error instanceof StartFailure)) throw error;
  console.error(printable(error.message));
  process.exitCode = error.temporary ? 1 : 2;
}
