/** The services as native child processes, each with its own free ports and data folder. */
import { join } from "node:path";
import { type Binary, requireBinaries } from "./binaries.ts";
import type { NativeProcess } from "./native-process.ts";
import { startPgBouncer, startPostgres } from "./postgres.ts";
import { startRabbitMq } from "./rabbitmq.ts";
import type { Reaper } from "./reaper.ts";
import { startRedis } from "./redis.ts";
import { startSwift } from "./swift.ts";
import type { ServiceName, ServiceUrls } from "./urls.ts";

/** A started server and what belongs to it. */
export interface NativeService {
  urls: Partial<ServiceUrls>;
  main: NativeProcess;
  /** All of its processes; those beside `main` live on when it is killed. */
  processes: NativeProcess[];
  /** Resolves when it answers again after a start. */
  ready(): Promise<void>;
  /** Folders outside of the one that was given. */
  folders?: string[];
}

export type NativeServices = Partial<Record<ServiceName, NativeService>>;

const BINARIES: Record<ServiceName, Binary[]> = {
  rabbitmq: ["rabbitmq-server", "epmd"],
  postgres: ["postgres", "initdb"],
  redis: ["redis-server"],
  pgbouncer: ["pgbouncer"],
  s3: [
    "swift-proxy-server",
    "swift-account-server",
    "swift-container-server",
    "swift-object-server",
  ],
};

/**
 * Starts the services side by side. PgBouncer goes in front of the Postgres of the same call, or of
 * `databaseUrl`.
 */
export async function startNativeServices(
  names: ServiceName[],
  { dir, reaper, databaseUrl }: { dir: string; reaper?: Reaper; databaseUrl?: string },
): Promise<NativeServices> {
  requireBinaries(names.flatMap((name) => BINARIES[name]));
  const folder = (name: ServiceName) => join(dir, name);
  const start = <Result>(name: ServiceName, run: (dir: string) => Promise<Result>) =>
    names.includes(name) ? run(folder(name)) : undefined;

  const rabbitmq = start("rabbitmq", (dir) => startRabbitMq(dir, reaper));
  const postgres = start("postgres", (dir) => startPostgres(dir, reaper));
  const redis = start("redis", (dir) => startRedis(dir, reaper));
  const s3 = start("s3", (dir) => startSwift(dir, reaper));
  const pgbouncer = start("pgbouncer", async (dir) => {
    const url = (await postgres)?.urls.DATABASE_URL ?? databaseUrl;
    if (url === undefined) throw new TypeError("PgBouncer needs a Postgres to stand before");
    return startPgBouncer(dir, url, reaper);
  });
  // All are awaited even if one fails, so that nothing starts behind the back of who cleans up.
  const started = { rabbitmq, postgres, redis, pgbouncer, s3 };
  const settled = await Promise.allSettled(Object.values(started));
  for (const result of settled) if (result.status === "rejected") throw result.reason;
  const services: NativeServices = {};
  for (const [name, service] of Object.entries(started)) {
    const value = await service;
    if (value) services[name as ServiceName] = value;
  }
  return services;
}
