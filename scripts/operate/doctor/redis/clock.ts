/** Redis' clock against ours: leases end by theirs. */
import type { Redis } from "@tl-engine/shared/stores/redis";
import type { Check } from "../check.ts";
import { compareClocks } from "../clock.ts";

export const clock: Check<Redis> = {
  name: "clock",
  looksAt: "its clock against ours",
  run: (redis, { now }) =>
    compareClocks(now, async () => {
      const [seconds, microseconds] = await redis.time();
      return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
    }),
};
