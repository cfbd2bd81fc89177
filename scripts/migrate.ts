/** Runs the SQL migrations of the library and of every worker. Use the direct host, not the pooler. */

import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase } from "@tl-engine/shared/stores/database";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { readEnvironment } from "./environment.ts";
import { loadWorkers } from "./workers.ts";

const { DATABASE_URL, LOG_LEVEL } = readEnvironment({ DATABASE_URL: true, LOG_LEVEL: true });
const pool = openDatabase(
  { databaseUrl: DATABASE_URL, max: 1, name: "tl-engine migrate" },
  createLog({}, LOG_LEVEL),
);
const client = await pool.connect();
try {
  const ran: string[] = [];
  for (const { folder } of await loadWorkers())
    ran.push(...(await migrate(client, await readMigrations(folder))));
  console.log(`migrate: ran=${ran.length}${ran.map((name) => `\n  ${name}`).join("")}`);
} finally {
  client.release();
  await pool.end();
}
