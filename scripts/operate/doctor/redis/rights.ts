/** Whether the user may what claims need, and nothing that `make rights` would not give it. */

import { userOf } from "@tl-engine/shared/broker/address";
import { explainRedis } from "@tl-engine/shared/stores/explain-redis";
import type { Redis } from "@tl-engine/shared/stores/redis";
import { tryClaims } from "@tl-engine/shared/stores/start-checks";
import { engineUser, redisKeys } from "@tl-engine/shared/wire/names";
import { type Check, type Finding, type Fleet, failure, ok, warning } from "../check.ts";

/** What no engine's user may; each only reads. */
const FORBIDDEN: [string, (redis: Redis) => Promise<unknown>][] = [
  ["keys of others", (redis) => redis.get("tl-engine-doctor:not-ours")],
  ["DBSIZE", (redis) => redis.dbsize()],
  ["CONFIG", (redis) => redis.config("GET", "maxmemory-policy")],
  ["ACL", (redis) => redis.acl("LIST")],
];

const isAllowed = (question: Promise<unknown>) =>
  question.then(
    () => true,
    (error: Error) => {
      // A hosted server may not know the command at all.
      if (/^(?:NOPERM|ERR)\b|can't run this command|no permissions/i.test(error.message))
        return false;
      throw error;
    },
  );

/** Its own claims for an engine's user; those of every engine for any other. */
function enginesOf({ config, workers }: Fleet, user: string): string[] {
  const engines = workers.map(({ definition }) => definition.name);
  const own = engines.filter((engine) => engineUser(config.ENGINE_PREFIX, engine) === user);
  return own.length > 0 ? own : engines;
}

export const rights: Check<Redis> = {
  name: "rights",
  looksAt: "the user may enough, and not too much",
  async run(shared, fleet) {
    // To listen turns a connection into one that can do nothing else.
    const redis = shared.duplicate();
    redis.on("error", () => {});
    try {
      await redis.connect();
      return await judge(redis, fleet);
    } finally {
      redis.disconnect();
    }
  },
};

async function judge(redis: Redis, fleet: Fleet): Promise<Finding> {
  const { ENGINE_PREFIX: prefix, REDIS_URL } = fleet.config;
  const user = userOf(new URL(REDIS_URL))?.username || "default";
  const engines = enginesOf(fleet, user);
  const next = `make rights NAME=${engines[0]}`;
  for (const engine of engines) {
    const key = (id: string) => redisKeys.claim(prefix, engine, undefined, id);
    const channels = redisKeys.cancel(prefix, engine, "*");
    try {
      await tryClaims(redis, {
        redisUrl: REDIS_URL,
        keys: [key("doctor-1"), key("doctor-2")],
        channels,
      });
    } catch (error) {
      const { message } = explainRedis(error, REDIS_URL);
      return failure(`${user} may too little`, message, `make rights NAME=${engine}`);
    }
  }
  const found: string[] = [];
  for (const [what, question] of FORBIDDEN) if (await isAllowed(question(redis))) found.push(what);
  if (found.length === 0) return ok(`${user} may what it needs`);
  return warning(
    `${user} may too much: ${found.join(", ")}`,
    `${user} may more than make rights prints: who has a worker's URL reads and changes what others keep there`,
    next,
  );
}
