/** One Redis client that fails fast, since every job can go on without it. */
import { Redis, type RedisOptions } from "ioredis";
import type { Logger } from "pino";

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
    ...options,
  });
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

/** A command that got no answer may mean a half-open connection, which only a new one cures. */
export const isUnanswered = (error: unknown) => (error as Error).message === "Command timed out";

/** Redis may throw claims away when memory runs short. */
export class RedisMayEvict extends Error {
  override readonly name = "RedisMayEvict";
}

/**
 * Looks once, at start, that claims can't be evicted; only warns where the server won't say or can't be reached.
 * @throws {RedisMayEvict}
 */
export async function refuseEviction(redis: Redis, log: Logger): Promise<void> {
  let answer: unknown;
  try {
    if (redis.status !== "ready")
      await new Promise<void>((resolve, reject) => {
        redis.once("ready", () => resolve());
        redis.once("error", reject);
      });
    answer = await redis.config("GET", "maxmemory-policy");
  } catch (error) {
    log.warn(
      { err: error },
      "redis does not say whether it evicts; make sure that eviction is off",
    );
    return;
  }
  const policy = Array.isArray(answer) ? String(answer[1]) : undefined;
  if (policy === undefined || policy === "noeviction") return;
  throw new RedisMayEvict(
    `Redis has maxmemory-policy ${policy} and may drop claims; set it to noeviction (CONFIG SET maxmemory-policy noeviction)`,
  );
}
