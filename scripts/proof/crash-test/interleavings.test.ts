/**
 * The settling logic, as it is, in thousands of orders of events: two workers with the product's own
 * receive, life, settle and claim scripts on a real Redis; broker and fence as small models; crashes,
 * leases that run out, a flush and outages of Redis, and failing handlers in between. Every call to the outside is a step,
 * and fast-check chooses whose step is next. (protocol: two copies of one job, at most two attempts.)
 */
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { redisKeys } from "../../../shared/wire/names.ts";
import { World } from "./world.ts";

const RUNS = Number(process.env.INTERLEAVINGS ?? 10_000);
const PREFIX = `interleavings-${process.pid}`;
const CHOICES = { minLength: 60, maxLength: 60 };

let redis: Redis;
beforeAll(() => {
  redis = new Redis(process.env.REDIS_URL ?? "redis://127.0.0.1:6379");
});
afterAll(() => redis?.disconnect());

test(`no job is lost or doubled in ${RUNS} interleavings`, { timeout: 600_000 }, async () => {
  let count = 0;
  const seen = { crashes: 0, expiries: 0, flushes: 0, outages: 0, failures: 0, failedRows: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(999), CHOICES), async (choices) => {
      const id = `job-${++count}`;
      const world = new World(redis, PREFIX, id, choices);
      await world.play();
      await redis.del(redisKeys.claim(PREFIX, "model", undefined, id));
      for (const kind of ["crashes", "expiries", "flushes", "outages", "failures"] as const)
        seen[kind] += world.happened[kind];
      if (world.row?.status === "failed") seen.failedRows++;
      const story = world.story.join("\n");
      expect(world.row, story).toBeDefined();
      const succeeded = world.row?.status === "succeeded";
      expect(world.effects, `effects\n${story}`).toBe(succeeded ? 1 : 0);
      expect(world.replies.length, `replies\n${story}`).toBeGreaterThan(0);
      expect(new Set(world.replies), `replies differ\n${story}`).toEqual(
        new Set([world.row?.reply]),
      );
      expect(world.deadLetters > 0, `dead letters\n${story}`).toBe(!succeeded);
    }),
    { numRuns: RUNS },
  );
  // The property says little where nothing went wrong.
  for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(RUNS / 50);
});
