/**
 * The proof that every slot and every job runs once in effect: two schedulers whose clocks go wrong by half a minute, to
 * either side, are killed at random points, while Redis is restarted and flushed, and Postgres is killed.
 * SCHEDULER_KILLS=200 has them killed so often; by default it is a short one.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { action, defineWorker } from "@tl-engine/shared";
import { openTestFleet, type TestFleet } from "@tl-engine/shared/testing/fleet";
import { openOwnServers } from "@tl-engine/shared/testing/own-servers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { defineScheduler } from "./define-scheduler.ts";
import { nextSlots, slotId, slotsOf } from "./slots.ts";
import { ScheduleInput, specOf } from "./spec.ts";
import { type KilledProcess, keepKilling } from "./testing/killed-process.ts";

const KILLS = Number(process.env.SCHEDULER_KILLS ?? 8);
const SHIFT_MS = 30_000;
/** Of the faults of servers: one of each kind for so many kills. */
const FAULT_EVERY = Math.max(3, Math.floor(KILLS / 6));

const servers = openOwnServers();
const before = { DATABASE_URL: process.env.DATABASE_URL, REDIS_URL: process.env.REDIS_URL };
let fleet: TestFleet;
let redis: Awaited<ReturnType<typeof servers.redis>>;
let postgres: Awaited<ReturnType<typeof servers.postgres>>;

/** Its effect is a row, and twice the effect two rows. */
const target = defineWorker({
  name: "echo",
  concurrency: 32,
  timeoutMs: 20_000,
  actions: {
    echo: action({
      version: 1,
      input: z.json(),
      output: z.object({}),
      async handleBatch(jobs, { tx }) {
        await tx.query("insert into effects select unnest($1::text[])", [jobs.map(({ id }) => id)]);
        return jobs.map(() => ({}));
      },
    }),
  },
});

beforeAll(async () => {
  [redis, postgres] = await Promise.all([servers.redis(), servers.postgres()]);
  Object.assign(process.env, redis.urls, postgres.urls);
  fleet = await openTestFleet([target, defineScheduler()], [import.meta.dirname]);
  await fleet.pool.query("create table effects (id text not null)");
  // Its server is killed under it.
  fleet.pool.on("error", () => {});
  await fleet.start(target);
});
let two: KilledProcess[] = [];
afterAll(async () => {
  await Promise.all(two.map((process) => process.stop()));
  await fleet?.close();
  Object.assign(process.env, before);
  await servers.end();
});

/** The same again with the same seed; which it was is told. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

const SPECS = [1, 1, 1, 2, 3].map((everySeconds, i) =>
  specOf(
    ScheduleInput.parse({
      ...{ name: `echo.proof-${i}`, type: "echo.echo.v1", everySeconds, overlap: "allow" },
      ...{ catchUp: { policy: "all", windowSeconds: 86_400 }, jitterSeconds: i },
    }),
  ),
);

/** In place of a restart's patience: each asks until the server is back. */
async function again<T>(what: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++)
    try {
      return await what();
    } catch (error) {
      if (tries === 100) throw error;
      await sleep(200);
    }
}

test(`two schedulers, killed ${KILLS} times: every slot once`, { timeout: 1_200_000 }, async () => {
  const seed = Number(process.env.SCHEDULER_SEED ?? Math.floor(Math.random() * 1e9));
  const random = seeded(seed);
  console.log(`scheduler: seed ${seed}`);
  const env = { ...fleet.env, REDIS_URL: redis.urls.REDIS_URL, SCHEDULER_POLL_MS: "2000" };
  two = [SHIFT_MS, -SHIFT_MS].map((shiftMs, i) =>
    keepKilling({ ...env, WORKER_ID: `scheduler-${i}`, LOG_LEVEL: "info" }, shiftMs, random),
  );
  const firsts = new Map<string, number>();
  for (const spec of SPECS) {
    const { keyWarnings: _, anchorMs, ...sent } = spec as typeof spec & { keyWarnings?: unknown };
    const id = await fleet.publish("scheduler", "put", sent);
    const { reply } = await fleet.reply(id);
    const { nextRuns } = (reply as unknown as { output: { nextRuns: string[] } }).output;
    firsts.set(spec.name, Date.parse(nextRuns[0] as string));
    expect(anchorMs).toBe(0);
  }
  const jobs: string[] = [];
  const kills = () => two.reduce((sum, process) => sum + process.kills(), 0);
  const faults = [() => restart(redis, "SIGKILL"), flush, () => restart(postgres, "SIGINT")];
  let faulted = 0;
  while (kills() < KILLS) {
    const runAt = Date.now() + Math.floor(random() * 10_000);
    jobs.push(await fleet.publish("echo", "echo", {}, { headers: { "x-run-at": runAt } }));
    await sleep(random() * 300);
    if (kills() <= faulted * FAULT_EVERY) continue;
    await faults[faulted++ % faults.length]?.();
  }
  for (const process of two) process.live();
  await sleep(1_000);
  // From here on no slot is due; those before run, and so do all jobs.
  const { rows } = await again(() =>
    fleet.pool.query(
      `update engine_scheduler.schedules set paused = true returning name, next_ms::float8 "nextMs"`,
    ),
  );
  const slots = rows.flatMap(({ name, nextMs }) => {
    const next = slotsOf(SPECS.find((spec) => spec.name === name) as (typeof SPECS)[number]);
    const first = firsts.get(name) as number;
    return nextSlots(next, first - 1, 100_000)
      .filter((slotMs) => slotMs < nextMs)
      .map((slotMs) => slotId(name, slotMs));
  });
  const wanted = [...slots, ...jobs];
  const effects = async () =>
    new Map<string, number>(
      (
        await again(() => fleet.pool.query("select id, count(*)::int from effects group by id"))
      ).rows.map(({ id, count }) => [id, count]),
    );
  const missing = async () => {
    const had = await effects();
    return wanted.filter((id) => !had.has(id));
  };
  const deadline = Date.now() + 60_000;
  while ((await missing()).length > 0 && Date.now() < deadline) await sleep(250);
  // What was published twice has come twice by now.
  await sleep(2_000);
  const had = await effects();
  const lost = await missing();
  const doubled = [...had].filter(([, count]) => count > 1);
  console.log(
    `scheduler: slots=${slots.length} jobs=${jobs.length} missing=${lost.length} doubled=${doubled.length} (kills=${kills()} faults=${faulted})`,
  );
  expect({ lost, doubled }).toEqual({ lost: [], doubled: [] });
  expect([...had.keys()].filter((id) => !wanted.includes(id))).toEqual([]);
  const known =
    /ECONN|terminat|not connect|starting up|shutting down|could not start|Connection|LOADING/i;
  for (const complaint of two.flatMap(({ complaints }) => complaints))
    expect(complaint).toMatch(known);
});

async function restart(server: typeof redis, signal: NodeJS.Signals): Promise<void> {
  await server.main.kill(signal);
  server.main.spawn();
  await server.ready();
}

async function flush(): Promise<void> {
  const { openRedis } = await import("@tl-engine/shared/stores/redis");
  const { createLog } = await import("@tl-engine/shared/process/log");
  const client = openRedis(String(redis.urls.REDIS_URL), createLog({}, "silent"), {
    enableOfflineQueue: true,
  });
  await client.flushall();
  client.disconnect();
}
