/** Opens all that a worker needs and looks that it is fit, before anything is consumed. */
import type { Logger } from "pino";
import { type Consumer, type Delivery, openConsumer } from "./broker/consume.ts";
import { planLanes } from "./broker/lanes.ts";
import { checkPolicies } from "./broker/policies.ts";
import { openPublisher, type Publisher } from "./broker/publish.ts";
import type { Closers } from "./drain.ts";
import type { ConnectionPlan } from "./engine/connections.ts";
import type { WorkerDefinition } from "./engine/define-worker.ts";
import type { FilesTools } from "./files/job-files.ts";
import { openFiles } from "./files/open-files.ts";
import type { Config } from "./process/config.ts";
import { serveHealth } from "./process/health.ts";
import type { Metrics } from "./process/metrics.ts";
import { openDatabase, type Pool } from "./stores/database.ts";
import { readMigrations } from "./stores/migrate.ts";
import { openRedis, type Redis } from "./stores/redis.ts";
import { checkDatabase, checkRedis } from "./stores/start-checks.ts";
import { redisKeys } from "./wire/names.ts";

export interface OpeningOptions {
  definition: WorkerDefinition;
  config: Config;
  plan: ConnectionPlan;
  /** Of the worker, whose migrations must have run. */
  folder: string | undefined;
  closers: Closers;
  metrics: Metrics;
  log: Logger;
  /** Undefined when jobs flow, else what is missing. */
  notReady(): string | undefined;
  onDelivery(delivery: Delivery): Promise<void>;
}

export interface Opened {
  publisher: Publisher;
  /** It found its queue, and has not begun to consume. */
  consumer: Consumer;
  pool: Pool;
  redis: Redis;
  /** Undefined for an engine without files. */
  files: FilesTools | undefined;
  healthPort: number;
}

/**
 * @throws {StartFailure} with what to do: a server can't be reached or refuses us, a queue or a migration is missing,
 *   Redis may evict, a policy overrides our queues, the port is taken.
 */
export async function openAll(options: OpeningOptions): Promise<Opened> {
  const { definition, config, plan, folder, closers, metrics, log, notReady } = options;
  const { name: engine } = definition;
  const redis = openRedis(config.REDIS_URL, log);
  closers.add(() => redis.disconnect());
  const database = { databaseUrl: config.DATABASE_URL, max: plan.poolMax };
  const pool = openDatabase({ ...database, name: `tl-engine ${engine}` }, log);
  closers.add(() => pool.end());
  const consuming = {
    engine,
    ...planLanes(definition, config.MAX_PREFETCH),
    maxHeldBytes: Math.min(definition.maxHeldBytes ?? config.MAX_HELD_BYTES, config.MAX_HELD_BYTES),
    log,
    onStaleAck: metrics.staleAcks,
    onDelivery: options.onDelivery,
  };
  const health = { port: config.HEALTH_PORT, notReady, metrics: metrics.render };
  const claimKey = (id: string) => redisKeys.claim(config.ENGINE_PREFIX, engine, undefined, id);
  const keys: [string, string] = [claimKey("start-1"), claimKey("start-2")];
  const channels = redisKeys.cancel(config.ENGINE_PREFIX, engine, "*");
  const [publisher, consumer, { port: healthPort }, files] = await allOrFirstError([
    closers.later(openPublisher(config, engine, log)),
    closers.later(openConsumer(config, consuming)),
    closers.later(serveHealth(health)),
    openFiles(definition, config, closers),
    readMigrations(folder).then((migrations) =>
      checkDatabase(pool, config.DATABASE_URL, migrations),
    ),
    checkRedis(redis, { redisUrl: config.REDIS_URL, keys, channels }, log),
    checkPolicies(config, engine, log),
  ]);
  return { publisher, consumer, pool, redis, files, healthPort };
}

/** Like Promise.all, but it waits for all, so that nothing opens after the others were closed. */
async function allOrFirstError<T extends readonly unknown[]>(
  promises: readonly [...{ [K in keyof T]: Promise<T[K]> }],
) {
  const settled = await Promise.allSettled(promises);
  for (const result of settled) if (result.status === "rejected") throw result.reason;
  return Promise.all(promises);
}
