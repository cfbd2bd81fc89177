/** One Redis client that fails fast, since every job can go on without it. */
import { Redis, type RedisOptions } from "ioredis";
import type { Logger } from "pino";
import { needsNewConnection } from "../wire/redis-errors.ts";
import { assertIoredis } from "./ioredis-insides.ts";

export { isUnanswered, reconnect } from "./ioredis-insides.ts";
export type { Redis };

const COMMAND_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_RECONNECT_DELAY_MS = 2_000;

/** Connects in the background; commands reject at once while there is no connection. */
export function openRedis(redisUrl: string, log: Logger, options: RedisOptions = {}): Redis {
  const redis = new Redis(redisUrl, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // Hosted Redis may refuse INFO and CLIENT; a server that is still loading answers with an error anyway.
    enableReadyCheck: false,
    disableClientInfo: true,
    keepAlive: 30_000,
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, MAX_RECONNECT_DELAY_MS),
    // A demoted primary keeps its connections, and refuses every claim.
    reconnectOnError: needsNewConnection,
    ...options,
  });
  assertIoredis(redis);
  let reported = false;
  redis.on("error", (error) => {
    if (!reported) log.warn({ err: error }, "redis: connection failed");
    reported = true;
  });
  redis.on("ready", () => {
    reported = false;
  });
  return redis;
}
