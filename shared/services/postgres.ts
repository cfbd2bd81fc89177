/** Postgres as a child process, durable as in production, and PgBouncer in front of it. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { findBinary, unprivilegedOwner } from "./binaries.ts";
import type { NativeService } from "./native.ts";
import { NativeProcess } from "./native-process.ts";
import { freePorts, untilReady } from "./ready.ts";
import type { Reaper } from "./reaper.ts";

/** Resolves when the server answers a query. */
export async function connectToPostgres(databaseUrl: string, query = "SELECT 1"): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query(query);
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * A folder for a server that may not run as root. Where its user cannot enter the repository (below
 * /root, for instance), it lies in the system's folder for temporary files and goes at the end.
 */
function ownedFolder(dir: string, reaper: Reaper | undefined) {
  const owner = unprivilegedOwner();
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (!owner) return { folder: dir, owner };
  chownSync(dir, owner.uid, owner.gid);
  const enters = spawnSync("/bin/sh", ["-c", 'cd "$1" && test -w .', "sh", dir], {
    ...owner,
    cwd: "/",
    stdio: "ignore",
  });
  if (enters.status === 0) return { folder: dir, owner };
  const folder = mkdtempSync(join(tmpdir(), "tl-engine-"));
  chownSync(folder, owner.uid, owner.gid);
  reaper?.removeAtEnd(folder);
  return { folder, owner };
}

export async function startPostgres(dir: string, reaper?: Reaper): Promise<NativeService> {
  const [port] = (await freePorts(1)) as [number];
  const { folder, owner } = ownedFolder(dir, reaper);
  const data = join(folder, "data");
  execFileSync(
    findBinary("initdb") ?? "initdb",
    ["-D", data, "-U", "engine", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
    { ...owner, cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
  );
  const settings = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: 200,
    log_min_messages: "warning",
  };
  const postgres = new NativeProcess(
    {
      name: "Postgres",
      file: findBinary("postgres") ?? "postgres",
      args: ["-D", data, ...Object.entries(settings).flatMap((entry) => ["-c", entry.join("=")])],
      cwd: folder,
      logFile: join(dir, "postgres.log"),
      owner,
      // An immediate shutdown: as quick as a kill, but it frees its shared memory.
      endSignal: "SIGQUIT",
    },
    reaper,
  );
  const url = (database: string) => `postgres://engine@127.0.0.1:${port}/${database}`;
  const ended = () => postgres.endedWith();
  postgres.spawn();
  await untilReady(
    "Postgres",
    () => connectToPostgres(url("postgres"), "CREATE DATABASE enginedb"),
    { ended },
  );
  return {
    urls: { DATABASE_URL: url("enginedb") },
    main: postgres,
    processes: [postgres],
    ready: () => untilReady("Postgres", () => connectToPostgres(url("enginedb")), { ended }),
    folders: folder === dir ? [] : [folder],
  };
}

/** PgBouncer in transaction mode, as in front of a hosted Postgres. */
export async function startPgBouncer(
  dir: string,
  databaseUrl: string,
  reaper?: Reaper,
): Promise<NativeService> {
  const [port] = (await freePorts(1)) as [number];
  const { folder, owner } = ownedFolder(dir, reaper);
  const target = new URL(databaseUrl);
  const database = target.pathname.slice(1);
  const file = (name: string) => join(folder, name);
  writeFileSync(file("users.txt"), `"${target.username}" ""\n`);
  writeFileSync(
    file("pgbouncer.ini"),
    `[databases]
${database} = host=${target.hostname} port=${target.port || 5432} dbname=${database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${file("users.txt")}
pool_mode = transaction
default_pool_size = 20
max_client_conn = 1000
server_login_retry = 1
`,
  );
  for (const name of ["users.txt", "pgbouncer.ini"]) chmodSync(file(name), 0o644);
  const pgbouncer = new NativeProcess(
    {
      name: "PgBouncer",
      file: findBinary("pgbouncer") ?? "pgbouncer",
      args: [file("pgbouncer.ini")],
      cwd: folder,
      logFile: join(dir, "pgbouncer.log"),
      owner,
    },
    reaper,
  );
  const poolerUrl = `postgres://${target.username}@127.0.0.1:${port}/${database}`;
  const ready = () =>
    untilReady("PgBouncer", () => connectToPostgres(poolerUrl), {
      ended: () => pgbouncer.endedWith(),
    });
  pgbouncer.spawn();
  await ready();
  return {
    urls: { POOLER_URL: poolerUrl },
    main: pgbouncer,
    processes: [pgbouncer],
    ready,
    folders: folder === dir ? [] : [folder],
  };
}
