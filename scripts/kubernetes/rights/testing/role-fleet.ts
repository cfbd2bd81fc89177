/** A fleet on a Postgres of its own, with a role for each engine exactly as `make rights` prints it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openTestFleet, type TestFleet } from "../../../../shared/testing/fleet.ts";
import { openOwnServers } from "../../../../shared/testing/own-servers.ts";
import { type FoundWorker, loadWorkers } from "../../../workers.ts";
import { applyWithPsql, printedRights } from "./printed-rights.ts";

export interface RoleFleet {
  fleet: TestFleet;
  workers: FoundWorker[];
  password: string;
  /** DATABASE_URL of the engine's role. */
  urlOf(engine: string): string;
  /** The same through a pooler in transaction mode. */
  poolerUrlOf(engine: string): Promise<string>;
  /** As the owner. Returns the job's id. */
  insertRow(engine: string, status: string, ageDays: number): Promise<string>;
  statusOf(id: string): Promise<unknown>;
  /** Of Postgres, with every statement. */
  log(): string;
  close(): Promise<void>;
}

const COLUMNS =
  "engine, job_id, status, attempt, type, input_hash, reply, worker, started_at, finished_at";

/** The printed rights are of a whole server, so not of one that other tests use. */
export async function openRoleFleet(): Promise<RoleFleet> {
  const password = "long-and-random-5d1c6e";
  const servers = openOwnServers();
  const databaseUrl = String((await servers.postgres()).urls.DATABASE_URL);
  process.env.DATABASE_URL = databaseUrl;
  const workers = await loadWorkers();
  const definitions = workers.map(({ definition }) => definition);
  const folders = workers.map(({ folder }) => folder);
  const fleet = await openTestFleet(definitions, folders);
  const { pool, config, names } = fleet;
  await pool.query("alter system set log_statement = 'all'");
  await pool.query("select pg_reload_conf()");
  for (const { name } of definitions)
    await applyWithPsql(
      await printedRights(name, { ENGINE_PREFIX: config.ENGINE_PREFIX }),
      databaseUrl,
      password,
    );

  const urlOf = (engine: string) => {
    const url = new URL(config.DATABASE_URL);
    url.username = `engine_${engine}`;
    return url.href;
  };
  return {
    ...{ fleet, workers, password, urlOf },
    async poolerUrlOf(engine) {
      return String((await servers.pgbouncer(urlOf(engine))).urls.POOLER_URL);
    },
    async insertRow(engine, status, ageDays) {
      const id = fleet.newId();
      await pool.query(
        `insert into engine.results (${COLUMNS}) select $1, $2, $3, 1, 't', 'h', '{}', $4, now(), now() - make_interval(days => $5)`,
        [engine, id, status, names.prefix, ageDays],
      );
      return id;
    },
    statusOf: async (id) => (await fleet.rows(id))[0]?.status,
    log: () => readFileSync(join(servers.folder, "1", "postgres.log"), "utf8"),
    async close() {
      await fleet.close();
      await servers.end();
    },
  };
}
