/** Postgres' clock against ours: rows are purged by theirs, and jobs refused as expired by ours. */
import type { Pool } from "@tl-engine/shared/stores/database";
import type { Check } from "../check.ts";
import { compareClocks } from "../clock.ts";

export const clock: Check<Pool> = {
  name: "clock",
  looksAt: "its clock against ours",
  run: (pool, { now }) =>
    compareClocks(now, async () => {
      const { rows } = await pool.query(
        "select extract(epoch from clock_timestamp()) * 1000 as ms",
      );
      return Number(rows[0].ms);
    }),
};
