/** Whether claims outlive a restart of Redis. */
import type { Redis } from "@tl-engine/shared/stores/redis";
import { type Check, failure, ok, skipped, warning } from "../check.ts";
import { field, readInfo } from "./info.ts";

const NEXT = 'redis-cli -u "$REDIS_URL" config set appendonly yes';

export const persistence: Check<Redis> = {
  name: "persistence",
  looksAt: "claims are on disk, and the last write worked",
  async run(redis) {
    const info = await readInfo(redis, "persistence");
    const aof = field(info, "aof_enabled");
    if (aof === undefined)
      return skipped("it does not say: a hosted server keeps its data by its plan");
    const isBroken =
      (aof === "1" && field(info, "aof_last_write_status") === "err") ||
      field(info, "rdb_last_bgsave_status") === "err";
    if (isBroken)
      return failure(
        "the last write to disk failed",
        "its disk is full or can't be written, and Redis then refuses every claim",
        'redis-cli -u "$REDIS_URL" info persistence',
      );
    if (aof === "1") return ok("append-only file");
    return warning(
      "no append-only file",
      "claims since the last snapshot are gone after a restart: jobs that run then may be run a second time, for nothing",
      NEXT,
    );
  },
};
