/** The jobs in hand, and the channel that cancels them. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { Redis } from "ioredis";
import { expect, test, vi } from "vitest";
import { readConfig } from "../process/config.ts";
import { createLog } from "../process/log.ts";
import { openRedis } from "../stores/redis.ts";
import { proxyBefore } from "../testing/proxy.ts";
import { redisKeys } from "../wire/names.ts";
import type { JobContext } from "./job-context.ts";
import { type LiveJob, LiveJobs, listenForCancels } from "./live-jobs.ts";
import type { ReceivedJob } from "./receive.ts";

test("holds what a Set would hold, however jobs come and go", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat())), (steps) => {
      const live = new LiveJobs();
      const oracle = new Set<LiveJob>();
      for (const step of steps) {
        const held = [...oracle];
        const ended = step === null ? undefined : held[step % held.length];
        if (ended === undefined) {
          const [job, context] = [{} as ReceivedJob, {} as JobContext];
          oracle.add(live.add({ job, token: "", startedAtMs: 0, renewedAtMs: 0, context }));
        } else {
          live.delete(ended);
          oracle.delete(ended);
        }
        const found = live.filter(() => true);
        expect(found.length).toBe(oracle.size);
        expect(new Set(found)).toEqual(oracle);
      }
    }),
  );
});

test("the cancel channel outlives a Redis that is lost just when it subscribes again", async () => {
  const { REDIS_URL } = readConfig(process.env);
  const [prefix, engine] = [`t-${randomUUID().slice(0, 8)}`, "probe"];
  const proxy = await proxyBefore(REDIS_URL);
  const log = createLog({ engine, env: "dev", worker: "test" }, "silent");
  const redis = openRedis(proxy.url, log);
  const caller = new Redis(REDIS_URL);
  const live = new LiveJobs();
  const abort = vi.fn();
  const [job, context] = [{ id: "long", publisher: "bob" }, { abort }] as unknown as [
    ReceivedJob,
    JobContext,
  ];
  live.add({ job, context, token: "", startedAtMs: 0, renewedAtMs: 0 });
  const stop = listenForCancels(live, redis, { prefix, engine, log });
  const isCancelled = async () => {
    await caller.publish(redisKeys.cancel(prefix, engine, "bob"), "long");
    expect(abort).toHaveBeenCalled();
  };
  try {
    await vi.waitFor(isCancelled, { timeout: 5_000 });
    const cut = proxy.apply({ kind: "cutWhen", needle: "subscribe", lose: "request" });
    proxy.reset();
    await cut.fired;
    const away = proxy.apply({ kind: "refuse" });
    // Past the timeout of a command: what nobody waits for must not end the process.
    await sleep(1_500);
    away.remove();
    abort.mockClear();
    await vi.waitFor(isCancelled, { timeout: 10_000 });
  } finally {
    stop();
    redis.disconnect();
    caller.disconnect();
    await proxy.close();
  }
});
