/** Postgres, as a worker opens it. */
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase, type Pool } from "@tl-engine/shared/stores/database";
import { explainPostgres } from "@tl-engine/shared/stores/explain-postgres";
import type { Fleet, Opened, Part } from "../check.ts";
import { judgeLatency } from "../latency.ts";
import { channelBinding } from "./channel-binding.ts";
import { clock } from "./clock.ts";
import { connections } from "./connections.ts";
import { pooler } from "./pooler.ts";
import { prepared } from "./prepared.ts";
import { rights } from "./rights.ts";
import { schema } from "./schema.ts";
import { tls } from "./tls.ts";

const BY_HAND = `psql "$DATABASE_URL" -c 'select version()'`;
/** Two for who looks at the pooler, one for a check that hangs, and one for the rest: a plan may have few. */
const CONNECTIONS = 4;

async function open({ config }: Fleet): Promise<Opened<Pool>> {
  const { DATABASE_URL: databaseUrl } = config;
  const options = { databaseUrl, max: CONNECTIONS, name: "tl-engine doctor" };
  const pool = openDatabase(options, createLog({}, "silent"));
  try {
    const { rows } = await pool.query("select current_setting('server_version') as version");
    const version = `PostgreSQL ${String(rows[0].version).split(" ")[0]}`;
    const found = await judgeLatency(version, () => pool.query("select 1"), BY_HAND);
    return { source: pool, found, close: () => pool.end() };
  } catch (error) {
    void pool.end().catch(() => {});
    throw explainPostgres(error, databaseUrl);
  }
}

export const postgres: Part<Pool> = {
  name: "postgres",
  byHand: () => BY_HAND,
  explain: (error, { DATABASE_URL }) => explainPostgres(error, DATABASE_URL),
  open,
  checks: [schema, rights, connections, pooler, prepared, tls, channelBinding, clock],
};
