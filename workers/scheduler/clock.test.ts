/** The clock on a real Postgres and a real Redis: what is put while it looks, what another left, what Redis forgets. */
import { setTimeout as sleep } from "node:timers/promises";
import type { TargetJob } from "@tl-engine/shared";
import { createLog } from "@tl-engine/shared/process/log";
import { asTransaction, openDatabase } from "@tl-engine/shared/stores/database";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { openRedis } from "@tl-engine/shared/stores/redis";
import { type OwnDatabase, useOwnDatabase } from "@tl-engine/shared/testing/own-database";
import { openOwnServers } from "@tl-engine/shared/testing/own-servers";
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from "vitest";
import { Clock } from "./clock.ts";
import type { Round } from "./round.ts";
import { Ticks } from "./ticks.ts";

const log = createLog({}, "silent");
const servers = openOwnServers();
let redis: Awaited<ReturnType<typeof servers.redis>>;
let database: OwnDatabase;
let pool: ReturnType<typeof openDatabase>;

beforeAll(async () => {
  database = await useOwnDatabase();
  redis = await servers.redis();
  pool = openDatabase({ databaseUrl: database.url, max: 8, name: "scheduler test" }, log);
  const client = await pool.connect();
  await migrate(client, await readMigrations());
  await migrate(client, await readMigrations(import.meta.dirname));
  client.release();
});
afterAll(async () => {
  await pool.end();
  await database.drop();
  await servers.end();
});
afterEach(async () => {
  await pool.query("delete from engine_scheduler.pending");
  await pool.query("delete from engine_scheduler.schedules");
});

const INSERT = `
  insert into engine_scheduler.pending
    (engine, job_id, run_at_ms, due_ms, lane, type, generation, attempt, crashes, returns, input_hash, body)
  values ('echo', $1, $2, $2, 'bulk', 'echo.echo.v1', 0, 1, 0, 0, 'x', '{}')
  returning pg_current_xact_id()::text xid`;

/** What a scheduler runs beside its jobs, without them. */
function open(
  options: {
    publish?(job: TargetJob): Promise<"routed" | "refused" | "unconfirmed" | "unsendable">;
    pollMs?: number;
    redisUrl?: string;
  } = {},
) {
  const published: { id: string; atMs: number }[] = [];
  const rounds: Round[] = [];
  let missing: string | undefined;
  let ticks: Ticks | undefined;
  const clock = new Clock({
    ...{ db: pool, log, publisher: "t.scheduler", signal: new AbortController().signal },
    transact: (work) => asTransaction(pool, work as never),
    publish: async (job) => {
      const end = (await options.publish?.(job)) ?? "routed";
      if (end === "routed") published.push({ id: job.id, atMs: Date.now() });
      return end;
    },
    report(what) {
      missing = what;
    },
    onRound: (round) => rounds.push(round),
    onNext: (inMs) => ticks?.set(inMs),
  });
  const opened: ReturnType<typeof openRedis>[] = [];
  ticks = new Ticks({
    ...{ log, keyPrefix: "t:scheduler:", pollMs: options.pollMs ?? 1_000 },
    openRedis(redisOptions) {
      const client = openRedis(options.redisUrl ?? String(redis.urls.REDIS_URL), log, redisOptions);
      opened.push(client);
      return client;
    },
    onTick: () => clock.look(),
    nextInMs: () => clock.nextInMs(),
  });
  const stop = async () => {
    await clock.stop();
    await ticks.stop();
    for (const client of opened) client.disconnect();
  };
  onTestFinished(stop);
  return { clock, ticks, published, rounds, stop, missing: () => missing };
}

async function until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await look())) {
    if (Date.now() > deadline) throw new Error(`waited for ${what}`);
    await sleep(20);
  }
}

test("what is put by a transaction that takes its time is fired once that has committed", async () => {
  const { clock, published } = open();
  await clock.start();
  const client = await pool.connect();
  await client.query("begin");
  const { rows } = await client.query(INSERT, ["slow", Date.now()]);
  clock.onHeld(Date.now(), rows[0].xid);
  await sleep(1_500);
  expect(published).toEqual([]);
  await client.query("commit");
  client.release();
  const committedMs = Date.now();
  await until("it", () => published.length === 1);
  expect((published[0]?.atMs ?? 0) - committedMs).toBeLessThan(2_000);
});

test("one that rolls back leaves the clock asleep", async () => {
  const { clock, rounds } = open();
  await clock.start();
  const client = await pool.connect();
  await client.query("begin");
  const { rows } = await client.query(INSERT, ["never", Date.now()]);
  clock.onHeld(Date.now(), rows[0].xid);
  await client.query("rollback");
  client.release();
  await until("a look", () => rounds.length >= 2);
  await sleep(500);
  const before = rounds.length;
  await sleep(1_500);
  // One more for the tick that was set for it, and no loop.
  expect(rounds.length).toBeLessThanOrEqual(before + 1);
});

test("what is due between two looks is slept for: as many rounds as there are times", async () => {
  const now = Date.now();
  for (const [n, ms] of [600, 1_200, 1_800].entries())
    await pool.query(INSERT, [`t${n}`, now + ms]);
  const { clock, published, rounds } = open();
  await clock.start();
  await until("all", () => published.length === 3);
  expect(rounds.length).toBeLessThanOrEqual(5);
  for (const [n, { atMs }] of published.entries()) {
    expect(atMs).toBeGreaterThanOrEqual(now + 600 * (n + 1) - 5);
    expect(atMs).toBeLessThan(now + 600 * (n + 1) + 500);
  }
});

test("a tick tells another scheduler of what one put that is no more", async () => {
  const heir = open();
  await heir.clock.start();
  heir.ticks.start();
  const dead = open();
  await dead.clock.start();
  await pool.query(INSERT, ["left", Date.now() + 1_500]);
  dead.ticks.set(1_500);
  await sleep(200);
  await dead.stop();
  await until("it", () => heir.published.length === 1);
});

test("a flushed Redis, and one that comes back, has its tick again", async () => {
  await pool.query(INSERT, ["far", Date.now() + 3_600_000]);
  const { clock, ticks } = open();
  await clock.start();
  ticks.start();
  const client = openRedis(String(redis.urls.REDIS_URL), log, { enableOfflineQueue: true });
  onTestFinished(() => client.disconnect());
  const isSet = async () =>
    (await client.zcard("t:scheduler:bull:ticks:delayed").catch(() => 0)) > 0;
  await until("the tick", isSet);
  await client.flushall();
  expect(await isSet()).toBe(false);
  await until("the tick after the flush", isSet);
  await client.flushall();
  await redis.main.kill();
  redis.main.spawn();
  await redis.ready();
  await until("the tick after the restart", isSet);
});

test("without any Redis what is due is fired on time", async () => {
  const { clock, ticks, published } = open({ redisUrl: "redis://127.0.0.1:1/0" });
  await clock.start();
  ticks.start();
  const atMs = Date.now() + 800;
  const { rows } = await pool.query(INSERT, ["alone", atMs]);
  clock.onHeld(atMs, rows[0].xid);
  await until("it", () => published.length === 1);
  expect((published[0]?.atMs ?? 0) - atMs).toBeLessThan(1_000);
});

test("what its queue does not take is tried again, later each time, and holds up nothing else", async () => {
  let refusals = 0;
  const { clock, published } = open({
    publish: async ({ id }) => (id === "full" && refusals++ < 1 ? "refused" : "routed"),
  });
  await pool.query(INSERT, ["full", Date.now() - 2_000]);
  await pool.query(INSERT, ["free", Date.now() - 1_000]);
  await clock.start();
  await until("the other", () => published.some(({ id }) => id === "free"));
  expect(published.map(({ id }) => id)).toEqual(["free"]);
  await until("the refused one", () => published.length === 2);
});

test("what the broker did not answer for stays, and what it never takes goes", async () => {
  let asked = 0;
  const { clock, published, rounds } = open({
    publish: async ({ id }) =>
      id === "large" ? "unsendable" : asked++ === 0 ? "unconfirmed" : "routed",
  });
  await pool.query(INSERT, ["asked", Date.now()]);
  await pool.query(INSERT, ["large", Date.now()]);
  await clock.start();
  await until("it", () => published.length === 1);
  await until("none left", async () => {
    const { rows } = await pool.query("select count(*)::int from engine_scheduler.pending");
    return rows[0].count === 0;
  });
  expect(rounds.flatMap(({ unsendable }) => unsendable)).toEqual(["large"]);
});

test("two schedulers fire a thousand jobs once each", async () => {
  const now = Date.now();
  await pool.query(
    `insert into engine_scheduler.pending
       (engine, job_id, run_at_ms, due_ms, lane, type, generation, attempt, crashes, returns, input_hash, body)
     select 'echo', 'n' || n, $1::bigint + n, $1::bigint + n, 'bulk', 'echo.echo.v1', 0, 1, 0, 0, 'x', '{}'
     from generate_series(1, 1000) n`,
    [now + 500],
  );
  const [one, other] = [open(), open()];
  await Promise.all([one.clock.start(), other.clock.start()]);
  await until("all", () => one.published.length + other.published.length >= 1_000);
  const ids = [...one.published, ...other.published].map(({ id }) => id);
  expect(new Set(ids).size).toBe(1_000);
  expect(ids).toHaveLength(1_000);
});

test("three thousand schedules of one instant, each with a pattern of its own, are all fired soon", async () => {
  const dueMs = Date.now() + 1_000;
  await pool.query(
    `insert into engine_scheduler.schedules (name, spec, source, next_ms)
     select 'echo.n' || n, (jsonb_build_object('name', 'echo.n' || n, 'cron', n % 60 || ' ' || n % 24 || ' ' || 1 + n % 28 || ' * *')
       || $1::jsonb)::json, 'job', $2
     from generate_series(1, 3000) n`,
    [
      JSON.stringify({
        ...{ type: "echo.echo.v1", timeZone: "America/Santiago", lane: "bulk", input: {} },
        ...{ anchorMs: 0, jitterSeconds: 0, overlap: "allow", runLimitSeconds: 1 },
        catchUp: { policy: "once", windowSeconds: 60 },
      }),
      dueMs,
    ],
  );
  const { clock, published } = open();
  await clock.start();
  await until("all", () => published.length >= 3_000);
  const late = published.map(({ atMs }) => atMs - dueMs).sort((a, b) => a - b);
  console.log(`scheduler: 3,000 schedules at once: the last after ${late.at(-1)} ms`);
  expect(new Set(published.map(({ id }) => id)).size).toBe(3_000);
  expect(late.at(-1)).toBeLessThan(10_000);
});
