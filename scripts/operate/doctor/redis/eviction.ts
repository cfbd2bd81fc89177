/** Whether Redis throws claims away when memory runs short. */

import { RedisMayEvict } from "@tl-engine/shared/stores/explain-redis";
import type { Redis } from "@tl-engine/shared/stores/redis";
import { refuseEviction } from "@tl-engine/shared/stores/start-checks";
import { type Check, failure, ok, skipped } from "../check.ts";

export const eviction: Check<Redis> = {
  name: "eviction",
  looksAt: "maxmemory-policy is noeviction, and no cluster mode",
  async run(redis) {
    try {
      return (await refuseEviction(redis)) ? ok("noeviction") : skipped("it does not say");
    } catch (error) {
      if (!(error instanceof RedisMayEvict)) throw error;
      return failure(
        "it may evict",
        error.message,
        'redis-cli -u "$REDIS_URL" config set maxmemory-policy noeviction',
      );
    }
  },
};
