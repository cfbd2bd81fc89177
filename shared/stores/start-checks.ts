/** What must hold of Postgres and Redis before a worker consumes; each failure says what to do. */
import { createHash } from "node:crypto";
import type { Logger } from "pino";
import type { Pool } from "./database.ts";
import { explainPostgres } from "./explain-postgres.ts";
import { explainRedis, RedisClosed, RedisMayEvict } from "./explain-redis.ts";
import { type Migration, verifySchema } from "./migrate.ts";
import type { Redis } from "./redis.ts";

/**
 * Connects, and looks that all migrations have run.
 * @throws {StartFailure} also when Postgres can't be reached: nothing ends without it.
 */
export async function checkDatabase(
  pool: Pool,
  databaseUrl: string,
  migrations: Migration[],
): Promise<void> {
  try {
    await verifySchema(pool, migrations);
  } catch (error) {
    throw explainPostgres(error, databaseUrl);
  }
}

export interface RedisCheck {
  redisUrl: string;
  /** Two keys as claims have them, to ask whether the server takes both in one command, from this user. */
  keys: [string, string];
  /** Pattern of the channels on which it hears of cancellations. */
  channels: string;
}

/** What the scripts on claims call, so that a right that is missing is named at start and not by every job. */
const TRIAL = `for _, key in ipairs(KEYS) do
  for _, command in ipairs({ {'TIME'}, {'GETRANGE', key, 0, 0}, {'SET', key, '', 'PX', 1}, {'UNLINK', key} }) do
    local answer = redis.pcall(unpack(command))
    if type(answer) == 'table' and answer.err then
      return redis.error_reply(answer.err .. ' (' .. command[1] .. ')')
    end
  end
end
return 1`;
const TRIAL_SHA = createHash("sha1").update(TRIAL).digest("hex");

/**
 * Only warns where Redis can't be reached, or is not ready: jobs go on without it.
 * @throws {StartFailure} for what stays wrong: a refused login, a certificate, a cluster, a server that may evict.
 */
export async function checkRedis(redis: Redis, check: RedisCheck, log: Logger): Promise<void> {
  try {
    await untilReady(redis);
    // ioredis goes on in database 0 when the one that was asked for does not exist.
    if (redis.options.db) await redis.select(redis.options.db);
    if (!(await refuseEviction(redis)))
      log.warn("redis does not say whether it evicts; make sure that eviction is off");
    await tryClaims(redis, check);
  } catch (error) {
    const failure = explainRedis(error, check.redisUrl);
    if (!failure.temporary) throw failure;
    log.warn({ err: error }, `going on without redis: ${failure.message}`);
  }
}

/** Rejects with the first error of the connection. */
function untilReady(redis: Redis): Promise<void> {
  if (redis.status === "ready") return Promise.resolve();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onClose = () => reject(new RedisClosed("the connection was closed"));
  redis.once("ready", resolve).once("error", reject).once("close", onClose);
  return promise.finally(() => {
    redis.off("ready", resolve).off("error", reject).off("close", onClose);
  });
}

/** Rejects with Redis' own error where the user may not what claims and cancellations need. */
export async function tryClaims(redis: Redis, { keys, channels }: RedisCheck): Promise<void> {
  await redis.eval(TRIAL, keys.length, ...keys);
  await redis.evalsha(TRIAL_SHA, keys.length, ...keys);
  await redis.psubscribe(channels);
  await redis.punsubscribe(channels);
}

/**
 * One INFO, which also the servers answer that refuse CONFIG.
 * @returns whether the server said how it evicts.
 * @throws {RedisMayEvict}
 */
export async function refuseEviction(redis: Redis): Promise<boolean> {
  let info: string;
  try {
    info = await redis.info();
  } catch (error) {
    // Refused, and not for want of a connection.
    if (!/^(?:NOPERM|ERR)\b/.test((error as Error).message)) throw error;
    info = "";
  }
  if (/^cluster_enabled:1/m.test(info)) throw new Error("CROSSSLOT: the server is in cluster mode");
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy !== undefined && policy !== "noeviction") throw new RedisMayEvict(policy);
  return policy !== undefined;
}
