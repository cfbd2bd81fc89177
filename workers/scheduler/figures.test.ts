/** What it costs and how exact it is: holding many jobs, starting with them, firing on time, and doing nothing. */
import { setTimeout as sleep } from "node:timers/promises";
import { createLog } from "@tl-engine/shared/process/log";
import { openRedis } from "@tl-engine/shared/stores/redis";
import { openTestFleet, type TestFleet } from "@tl-engine/shared/testing/fleet";
import { type OwnDatabase, useOwnDatabase } from "@tl-engine/shared/testing/own-database";
import { openOwnServers } from "@tl-engine/shared/testing/own-servers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { defineScheduler } from "./define-scheduler.ts";
import { type EchoRun, echoEngine } from "./testing/echo-engine.ts";

const PENDING = 100_000;
const PUTS = 5_000;
const YEAR_MS = 366 * 86_400_000;
const DAY_S = 86_400;

const servers = openOwnServers();
const redisBefore = process.env.REDIS_URL;
const runs: EchoRun[] = [];
let database: OwnDatabase;
let fleet: TestFleet;

beforeAll(async () => {
  // Its commands are counted: nobody else's may be among them.
  Object.assign(process.env, (await servers.redis()).urls);
  database = await useOwnDatabase();
  fleet = await openTestFleet([defineScheduler(), echoEngine()], [import.meta.dirname]);
});
afterAll(async () => {
  await fleet?.close();
  await database?.drop();
  process.env.REDIS_URL = redisBefore;
  await servers.end();
});

const count = async () =>
  (await fleet.pool.query("select count(*)::int from engine_scheduler.pending")).rows[0].count;

async function publishMany(total: number, runAt: (n: number) => number): Promise<string[]> {
  const ids = Array.from({ length: total }, () => fleet.newId());
  for (const [n, messageId] of ids.entries())
    fleet.channel.publish(fleet.names.later, "echo", Buffer.from("{}"), {
      ...{ messageId, type: "echo.echo.v1", contentType: "application/json", persistent: true },
      headers: { "x-run-at": runAt(n) },
    });
  await fleet.channel.waitForConfirms();
  return ids;
}

test(`with ${PENDING} jobs that wait: 1,000 more a second, and a start within 5 s`, async () => {
  await fleet.pool.query(
    `insert into engine_scheduler.pending
       (engine, job_id, run_at_ms, due_ms, lane, type, generation, attempt, crashes, returns, input_hash, body)
     select 'echo', 'waits-' || n, at, at, 'interactive', 'echo.echo.v1', 0, 1, 0, 0, 'x', '{}'
     from (select n, (extract(epoch from now()) * 1000 + 86400000 + n * 250)::bigint at
       from generate_series(1, ${PENDING}) n) t`,
  );
  const starting = performance.now();
  const worker = await fleet.start(defineScheduler());
  const startMs = performance.now() - starting;
  await fleet.until("ready", async () => worker.notReady() === undefined || undefined);
  await publishMany(500, () => Date.now() + YEAR_MS / 2);
  await fleet.until("the first ones", async () => (await count()) === PENDING + 500 || undefined);
  const putting = performance.now();
  await publishMany(PUTS, (n) => Date.now() + YEAR_MS / 2 + n);
  await fleet.until("all held", async () => (await count()) === PENDING + 500 + PUTS || undefined);
  const perSecond = PUTS / ((performance.now() - putting) / 1_000);
  console.log(`scheduler: start ${startMs.toFixed(0)} ms, ${perSecond.toFixed(0)} puts/s`);
  await worker.stop();
  await fleet.pool.query("delete from engine_scheduler.pending");
  expect(startMs).toBeLessThan(5_000);
  expect(perSecond).toBeGreaterThan(1_000);
});

test("jobs run at their time, 99 of 100 within a second of it", async () => {
  const echo = await fleet.start(echoEngine(runs));
  const worker = await fleet.start(defineScheduler());
  const at = new Map<string, number>();
  const base = Date.now() + 3_000;
  const ids = await publishMany(1_000, (n) => base + n * 8);
  for (const [n, id] of ids.entries()) at.set(id, base + n * 8);
  await fleet.until("all runs", () => (runs.length >= ids.length ? true : undefined));
  const errors = runs.map(({ id, atMs }) => atMs - (at.get(id) as number)).sort((a, b) => a - b);
  const p99 = errors[Math.floor(errors.length * 0.99)] as number;
  console.log(
    `scheduler: fire error p50 ${errors[errors.length >> 1]} ms, p99 ${p99} ms, most ${errors.at(-1)} ms`,
  );
  expect(errors[0]).toBeGreaterThanOrEqual(-50);
  expect(p99).toBeLessThanOrEqual(1_000);
  expect(new Set(runs.map(({ id }) => id)).size).toBe(runs.length);
  await worker.stop();
  await echo.stop();
});

test("idle it asks Redis 1,500 times a day at most, and leaves Postgres alone", async () => {
  // As long as that there is always something to come.
  await publishMany(1, () => Date.now() + YEAR_MS / 2);
  // A day has 360 looks: ten of them here, each a second after another.
  const pollS = 1;
  const looks = 10;
  const worker = await fleet.start(defineScheduler(), { SCHEDULER_POLL_MS: String(pollS * 1_000) });
  await fleet.until("it held", async () => (await count()) === 1 || undefined);
  await sleep(3_000);
  const client = openRedis(String(process.env.REDIS_URL), createLog({}, "silent"), {
    enableOfflineQueue: true,
  });
  const monitor = await client.monitor();
  const commands: string[] = [];
  monitor.on("monitor", (_time: string, args: string[], source: string) => {
    if (source !== "lua") commands.push(String(args[0]));
  });
  const lastStatement = async () =>
    (
      await fleet.pool.query(
        "select max(query_start)::text at from pg_stat_activity where application_name = $1",
        [`worker of ${fleet.names.prefix}`],
      )
    ).rows[0].at as string | null;
  const before = await lastStatement();
  await sleep(looks * pollS * 1_000);
  const after = await lastStatement();
  monitor.disconnect();
  client.disconnect();
  await worker.stop();
  // The real one looks every SCHEDULER_POLL_MS, by default four minutes.
  const perDay = (commands.length / looks) * (DAY_S / 240);
  console.log(`scheduler: idle ${perDay.toFixed(0)} commands a day (${[...new Set(commands)]})`);
  // Its looks alone: what came by a clock of its own would not follow SCHEDULER_POLL_MS, and be reckoned far too low.
  expect(new Set(commands)).toEqual(new Set(["evalsha"]));
  expect(commands.length).toBeLessThanOrEqual(3 * (looks + 1));
  expect(perDay).toBeLessThanOrEqual(1_500);
  expect(before).not.toBeNull();
  expect(after).toBe(before);
});
