/** Gives an engine's background what it works with, and ends it with the worker. */
import type { Logger } from "pino";
import type { Publisher } from "./broker/publish.ts";
import type { BackgroundContext, Tx, WorkerDefinition } from "./engine/define-worker.ts";
import { dueMessage } from "./job/messages.ts";
import type { Config } from "./process/config.ts";
import type { Metrics } from "./process/metrics.ts";
import { asTransaction, type Pool } from "./stores/database.ts";
import { openRedis, type Redis } from "./stores/redis.ts";
import { brokerNames, redisKeys } from "./wire/names.ts";

export interface BackgroundOptions {
  definition: WorkerDefinition;
  config: Config;
  pool: Pool;
  publisher: Publisher;
  metrics: Metrics;
  log: Logger;
  signal: AbortSignal;
}

export interface RunningBackground {
  /** What it reported last; undefined while all is well. */
  missing(): string | undefined;
  stop(): Promise<void>;
}

/** Undefined for an engine that has none. Rejects with what its start throws. */
export async function startBackground(
  options: BackgroundOptions,
): Promise<RunningBackground | undefined> {
  const { definition, config, pool, publisher, metrics, log, signal } = options;
  if (definition.background === undefined) return undefined;
  const names = brokerNames(config.ENGINE_PREFIX);
  const opened: Redis[] = [];
  let missing: string | undefined;
  const context: BackgroundContext = {
    db: pool,
    transact: <T>(work: (tx: Tx) => Promise<T>) => asTransaction(pool, work),
    openRedis(redisOptions) {
      const redis = openRedis(config.REDIS_URL, log, redisOptions);
      opened.push(redis);
      return redis;
    },
    keyPrefix: redisKeys.engine(config.ENGINE_PREFIX, definition.name),
    env: config.own,
    log,
    registry: await metrics.ownRegistry(),
    signal,
    publish: (job) => publisher.publish(dueMessage(job, names), signal),
    report(what) {
      missing = what;
    },
  };
  const closeAll = () => {
    for (const redis of opened) redis.disconnect();
  };
  try {
    const end = await definition.background(context);
    return {
      missing: () => missing,
      stop: () => end().finally(closeAll),
    };
  } catch (error) {
    closeAll();
    throw error;
  }
}
