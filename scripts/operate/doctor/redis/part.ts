/** Redis, as a worker opens it, with the waiting that a look by hand wants. */
import { createLog } from "@tl-engine/shared/process/log";
import { explainRedis, RedisClosed } from "@tl-engine/shared/stores/explain-redis";
import { openRedis, type Redis } from "@tl-engine/shared/stores/redis";
import type { Fleet, Opened, Part } from "../check.ts";
import { judgeLatency } from "../latency.ts";
import { clock } from "./clock.ts";
import { connections } from "./connections.ts";
import { eviction } from "./eviction.ts";
import { field, readInfo } from "./info.ts";
import { memory } from "./memory.ts";
import { persistence } from "./persistence.ts";
import { rights } from "./rights.ts";
import { tls } from "./tls.ts";

const BY_HAND = 'redis-cli -u "$REDIS_URL" ping';
/** Of one command: slower than this is told by the check's own time. */
const COMMAND_TIMEOUT_MS = 30_000;

async function open({ config }: Fleet): Promise<Opened<Redis>> {
  const { REDIS_URL: redisUrl } = config;
  const redis = openRedis(redisUrl, createLog({}, "silent"), {
    lazyConnect: true,
    commandTimeout: COMMAND_TIMEOUT_MS,
    retryStrategy: () => null,
  });
  try {
    // Where the connection breaks before it is there, ioredis says only that it is closed.
    const first = Promise.withResolvers<never>();
    redis.once("error", first.reject).once("close", () => first.reject(new RedisClosed("closed")));
    first.promise.catch(() => {});
    await Promise.race([redis.connect(), first.promise]);
    if (redis.options.db) await redis.select(redis.options.db);
    const info = await readInfo(redis, "server");
    const version = `Redis ${field(info, "redis_version") ?? "(does not say which)"}`;
    // What a user with the rights of an engine may ask.
    const found = await judgeLatency(version, () => redis.eval("return 1", 0), BY_HAND);
    return { source: redis, found, close: async () => redis.disconnect() };
  } catch (error) {
    redis.disconnect();
    throw explainRedis(error, redisUrl);
  }
}

export const redis: Part<Redis> = {
  name: "redis",
  byHand: () => BY_HAND,
  explain: (error, { REDIS_URL }) => explainRedis(error, REDIS_URL),
  open,
  checks: [eviction, memory, persistence, connections, rights, tls, clock],
};
