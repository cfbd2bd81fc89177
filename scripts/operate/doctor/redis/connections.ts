/** Whether Redis lets in as many clients as the workers are at most. */
import type { Redis } from "@tl-engine/shared/stores/redis";
import { type Check, failure, ok, skipped } from "../check.ts";
import { field, readInfo } from "./info.ts";

export const connections: Check<Redis> = {
  name: "connections",
  looksAt: "maxclients against the most workers that there may be",
  async run(redis, { atMost }) {
    if (typeof atMost === "string") return skipped(atMost);
    const limit = field(await readInfo(redis, "clients"), "maxclients");
    if (limit === undefined) return skipped("it does not say");
    const found = `${limit} allowed, ${atMost.redisConnections} at most`;
    if (Number(limit) >= atMost.redisConnections) return ok(found);
    return failure(
      found,
      `${atMost.workers} workers (${atMost.environment}) open two each: the last ones run every job without a claim`,
      `redis-cli -u "$REDIS_URL" config set maxclients ${atMost.redisConnections * 2}`,
    );
  },
};
