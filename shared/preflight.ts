/** Looks, before anything is consumed, for what a worker would only stumble over later. */
import type { Logger } from "pino";
import { PolicyOverride, refusePolicies } from "./broker/policies.ts";
import type { Config } from "./process/config.ts";
import type { Pool } from "./stores/database.ts";
import { readMigrations } from "./stores/migrate.ts";
import type { Redis } from "./stores/redis.ts";
import { checkDatabase, checkRedis } from "./stores/start-checks.ts";
import { brokerNames, redisKeys } from "./wire/names.ts";

export interface PreflightOptions {
  config: Config;
  engine: string;
  /** Of the worker, whose migrations must have run. */
  folder: string | undefined;
  pool: Pool;
  redis: Redis;
  log: Logger;
}

/** Throws, with what to do, when a migration is missing, Redis may evict, or a policy overrides our queues. */
export async function preflight(options: PreflightOptions): Promise<void> {
  const { config, engine, folder, pool, redis, log } = options;
  const claimKey = (id: string) => redisKeys.claim(config.ENGINE_PREFIX, engine, id);
  const keys: [string, string] = [claimKey("start-1"), claimKey("start-2")];
  await allOrFirstError([
    readMigrations(folder).then((migrations) =>
      checkDatabase(pool, config.DATABASE_URL, migrations),
    ),
    checkRedis(redis, { redisUrl: config.REDIS_URL, keys }, log),
    checkPolicies(config, engine, log),
  ]);
}

/** Like Promise.all, but it waits for all, so that nothing opens after the others were closed. */
export async function allOrFirstError<T extends readonly unknown[]>(
  promises: readonly [...{ [K in keyof T]: Promise<T[K]> }],
) {
  const settled = await Promise.allSettled(promises);
  for (const result of settled) if (result.status === "rejected") throw result.reason;
  return Promise.all(promises);
}

async function checkPolicies(config: Config, engine: string, log: Logger): Promise<void> {
  if (config.RABBITMQ_MANAGEMENT_URL === undefined) return;
  const names = brokerNames(config.ENGINE_PREFIX);
  const vhost = decodeURIComponent(new URL(config.AMQP_URL).pathname.slice(1)) || "/";
  try {
    await refusePolicies(config.RABBITMQ_MANAGEMENT_URL, vhost, engine, names);
  } catch (error) {
    if (error instanceof PolicyOverride) throw error;
    log.warn(
      { err: error },
      "the management API does not say whether policies override our queues",
    );
  }
}
