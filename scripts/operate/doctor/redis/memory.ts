/** Whether there is room for more claims: full, a Redis that does not evict refuses them. */
import type { Redis } from "@tl-engine/shared/stores/redis";
import { type Check, failure, ok, skipped, warning } from "../check.ts";
import { field, readInfo } from "./info.ts";

const WARNING = 0.8;

export const memory: Check<Redis> = {
  name: "memory",
  looksAt: "memory used of what it may have",
  async run(redis) {
    const info = await readInfo(redis, "memory");
    const [used, max] = [field(info, "used_memory"), field(info, "maxmemory")].map(Number);
    if (used === undefined || max === undefined || Number.isNaN(used + max))
      return skipped("it does not say");
    if (max === 0) return ok("no limit");
    const share = used / max;
    const found = `${Math.round(share * 100)} % of ${(max / 2 ** 20).toFixed(1)} MiB`;
    if (share < WARNING) return ok(found);
    return (share >= 1 ? failure : warning)(
      found,
      "claims are kept for CLAIM_TTL_S: a Redis that is full refuses new ones, and jobs run without them",
      'redis-cli -u "$REDIS_URL" --bigkeys',
    );
  },
};
