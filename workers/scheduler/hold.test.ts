/** What is kept of jobs that come for later, on a real Postgres: once, the newest, nobody else's. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Reject, type Tx } from "@tl-engine/shared";
import { createLog } from "@tl-engine/shared/process/log";
import { asTransaction, openDatabase } from "@tl-engine/shared/stores/database";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { type OwnDatabase, useOwnDatabase } from "@tl-engine/shared/testing/own-database";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { advance } from "./advance.ts";
import { HeldJob, sealed } from "./held-job.ts";
import { hold } from "./hold.ts";
import { purgeHistory } from "./purge.ts";
import { MAX_SCHEDULES, putSchedule, readScheduleFile, syncFile } from "./schedules.ts";
import { ScheduleInput, specOf } from "./spec.ts";

const log = createLog({}, "silent");
let database: OwnDatabase;
let pool: ReturnType<typeof openDatabase>;

beforeAll(async () => {
  database = await useOwnDatabase();
  pool = openDatabase({ databaseUrl: database.url, max: 8, name: "scheduler test" }, log);
  const client = await pool.connect();
  await migrate(client, await readMigrations());
  await migrate(client, await readMigrations(import.meta.dirname));
  client.release();
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});
afterEach(async () => {
  await pool.query("delete from engine_scheduler.pending");
  await pool.query("delete from engine_scheduler.schedules");
  await pool.query("delete from engine_scheduler.slots");
});

const GOOD: Parameters<typeof hold>[0][number] = {
  ...{ engine: "echo", lane: "interactive", id: "job-1", type: "echo.echo.v1", runAtMs: 5_000 },
  ...{ generation: 0, attempt: 1, crashes: 0, returns: 0, inputHash: "h", body: "{}" },
};
type Held = Parameters<typeof sealed>[0];
const parse = (job: object) => HeldJob.safeParse(sealed({ ...GOOD, ...job } as Held));
const within = <T>(work: (tx: Tx) => Promise<T>) =>
  asTransaction(pool, work as never) as Promise<T>;
const told: { dueMs: number; xid: string }[] = [];
const holdAll = (...jobs: object[]) =>
  within(async (tx) =>
    (
      await hold(
        jobs.map((job) => ({ ...GOOD, ...job })),
        tx,
        (dueMs, xid) => told.push({ dueMs, xid }),
      )
    ).map(({ outcome }) => outcome),
  );
const kept = async () =>
  (
    await pool.query(
      "select job_id id, run_at_ms::int at, attempt, generation from engine_scheduler.pending order by job_id",
    )
  ).rows;

describe("hold", () => {
  test("keeps a job once, however often it comes, and tells the clock of the earliest", async () => {
    told.length = 0;
    expect(await holdAll({}, { id: "job-2", runAtMs: 3_000 }, {})).toEqual([
      "older",
      "held",
      "held",
    ]);
    expect(await holdAll({})).toEqual(["held"]);
    expect(await kept()).toHaveLength(2);
    expect(told.map(({ dueMs }) => dueMs)).toEqual([3_000, 5_000]);
    const { rows } = await pool.query("select pg_xact_status($1::xid8) status", [told[0]?.xid]);
    expect(rows).toEqual([{ status: "committed" }]);
  });

  test("takes the new time of a job, and not that of an older run of it", async () => {
    await holdAll({ attempt: 2 });
    expect(await holdAll({ attempt: 2, runAtMs: 9_000 })).toEqual(["held"]);
    expect(await holdAll({ attempt: 1, runAtMs: 1_000 })).toEqual(["older"]);
    expect(await kept()).toMatchObject([{ at: 9_000, attempt: 2 }]);
    expect(await holdAll({ attempt: 1, generation: 1, runAtMs: 2_000 })).toEqual(["held"]);
    expect(await kept()).toMatchObject([{ at: 2_000, generation: 1 }]);
  });

  test.each([
    ["another input", { inputHash: "other" }],
    ["another publisher", { publisher: "other" }],
  ])("refuses %s under an id, also within one batch, and keeps the first", async (_what, more) => {
    await holdAll({});
    await expect(holdAll(more)).rejects.toThrow(Reject);
    await expect(holdAll({ id: "job-2" }, { id: "job-2", ...more })).rejects.toThrow(Reject);
    expect(await kept()).toMatchObject([{ id: "job-1", at: 5_000 }]);
  });

  test("keeps the same id of two engines apart", async () => {
    await holdAll({}, { engine: "other", inputHash: "x" });
    expect(await kept()).toHaveLength(2);
  });

  test("of many batches at once, in any order, none deadlocks", async () => {
    const ids = Array.from({ length: 50 }, (_, n) => `job-${n}`);
    const batches = Array.from({ length: 20 }, (_, n) =>
      n % 2 === 0 ? ids : ids.toReversed(),
    ).map((all) => holdAll(...all.map((id) => ({ id }))));
    await Promise.all(batches);
    expect(await kept()).toHaveLength(50);
  });

  test("takes no job back that was cancelled, and is on its way", async () => {
    await holdAll({});
    await pool.query("update engine_scheduler.pending set cancelled = true");
    expect(await holdAll({ runAtMs: 9_000 })).toEqual(["older"]);
    expect(await kept()).toMatchObject([{ at: 5_000 }]);
  });

  test.each([
    ["a NUL in a correlation id", { correlationId: "a\0b" }],
    ["a NUL in a reply queue", { replyTo: "\0" }],
    ["an engine with ../", { engine: "../x" }],
    ["an id of 200 characters", { id: "a".repeat(200) }],
    ["an id with a space", { id: "a b" }],
    ["a lane that isn't", { lane: "express" }],
    ["the year 275760", { runAtMs: 8.64e15 }],
    ["no time", { runAtMs: undefined }],
    ["NaN", { runAtMs: Number.NaN }],
    ["Infinity", { runAtMs: Number.POSITIVE_INFINITY }],
    ["a half attempt", { attempt: 1.5 }],
    ["minus one crash", { crashes: -1 }],
    ["a publisher of 64 kB", { publisher: "p".repeat(65_536) }],
  ])("its input has no %s", (_what, more) => {
    expect(parse(more).success).toBe(false);
  });

  test.each([
    ["whatever Unicode and JSON can hold", { body: '{"a":"\\u0000 \\ud800 💥"}', appId: "ñ💥" }],
    ["the least", {}],
    ["a time long gone", { runAtMs: 0 }],
    ["a fraction of a millisecond", { runAtMs: 5_000.4 }],
  ])("keeps %s, and gives it back as it was", async (_what, more) => {
    const { data } = parse(more);
    await holdAll(data as object);
    const { rows } = await pool.query("select body, app_id from engine_scheduler.pending");
    expect(rows).toEqual([{ body: data?.body, app_id: data?.appId ?? null }]);
  });

  test("without the runtime's seal nothing is taken, whatever it is", () => {
    for (const seal of [undefined, null, "", {}, "00000000-0000-0000-0000-000000000000"])
      expect(HeldJob.safeParse({ ...GOOD, seal }).success).toBe(false);
  });
});

describe("schedules", () => {
  const spec = (name: string, more: object = {}) =>
    specOf(ScheduleInput.parse({ name, type: "echo.echo.v1", cron: "0 3 * * *", ...more }));
  const names = async () =>
    (
      await pool.query(
        `select name, source, next_ms::float8 "nextMs" from engine_scheduler.schedules order by name`,
      )
    ).rows;

  test("those of the file come, change and go with it; those of jobs stay", async () => {
    await within((tx) => putSchedule(tx, spec("echo.job"), undefined));
    await within((tx) => syncFile(tx, [spec("echo.a"), spec("echo.b")]));
    expect(await names()).toMatchObject([
      { name: "echo.a", source: "file" },
      { name: "echo.b", source: "file" },
      { name: "echo.job", source: "job" },
    ]);
    await within((tx) => syncFile(tx, [spec("echo.b", { cron: "0 4 * * *" })]));
    expect((await names()).map(({ name }) => name)).toEqual(["echo.b", "echo.job"]);
  });

  test("a slot that was missed meanwhile is still due after the file is read again", async () => {
    await within((tx) => syncFile(tx, [spec("echo.a")]));
    const missedMs = Date.now() - 600_000;
    await pool.query("update engine_scheduler.schedules set next_ms = $1", [missedMs]);
    await within((tx) => syncFile(tx, [spec("echo.a", { input: { changed: true } })]));
    expect(await names()).toMatchObject([{ nextMs: missedMs }]);
    await within((tx) => syncFile(tx, [spec("echo.a", { cron: "0 5 * * *" })]));
    expect((await names())[0].nextMs).toBeGreaterThan(Date.now());
  });

  test("two schedulers that read it at once", async () => {
    const specs = Array.from({ length: 50 }, (_, n) => spec(`echo.s${n}`));
    await Promise.all(
      [specs, specs.toReversed(), specs].map((all) => within((tx) => syncFile(tx, all))),
    );
    expect(await names()).toHaveLength(50);
  });

  test("a publisher has so many and no more, and may still change those", async () => {
    await pool.query(
      `insert into engine_scheduler.schedules (name, spec, source)
       select 'echo.n' || n, $1, 'job' from generate_series(1, ${MAX_SCHEDULES}) n`,
      [JSON.stringify(spec("echo.n1"))],
    );
    const put = (name: string, publisher?: string) =>
      within((tx) => putSchedule(tx, spec(name), publisher));
    await expect(put("echo.more")).rejects.toThrow(/remove some/);
    await put("echo.n1");
    await put("echo.others", "other");
  });

  test("missed slots are counted, in one row of the history", async () => {
    await within((tx) =>
      putSchedule(tx, spec("echo.a", { cron: undefined, everySeconds: 60 }), undefined),
    );
    const nowMs = Math.floor(Date.now() / 60_000) * 60_000 + 1;
    const catchUp = { policy: "skip", windowSeconds: 0 };
    await pool.query(
      `update engine_scheduler.schedules set next_ms = $1, spec = (spec::jsonb || $2::jsonb)::json`,
      [nowMs - 1 - 3_600_000, JSON.stringify({ catchUp })],
    );
    let missed = 0;
    for (let goes = 0; goes < 3; goes++)
      missed += (await within((tx) => advance(tx, nowMs, "t.scheduler"))).missed;
    expect(missed).toBe(60);
    const { rows } = await pool.query(
      "select state, count from engine_scheduler.slots order by slot_ms",
    );
    expect(rows).toEqual([
      { state: "missed", count: 60 },
      { state: "fired", count: 1 },
    ]);
    const jobs = await pool.query("select publisher from engine_scheduler.pending");
    expect(jobs.rows).toEqual([{ publisher: null }]);
  });

  test("a run counts as going on until its result, and its limit at most", async () => {
    const nowMs = Date.now();
    const runs = { cron: undefined, everySeconds: 3_600, runLimitSeconds: 60 };
    const lasting = { going: 5_000, over: 61_000, ended: 5_000 };
    for (const [name, ms] of Object.entries(lasting)) {
      await within((tx) => putSchedule(tx, spec(`echo.${name}`, runs), undefined));
      await pool.query(
        `update engine_scheduler.schedules set next_ms = $2, last_job_id = $3, last_run_ms = $4 where name = $1`,
        [`echo.${name}`, nowMs - 100, `run-of-${name}`, nowMs - ms],
      );
    }
    await pool.query(
      `insert into engine.results (engine, job_id, status, attempt, type, input_hash, reply, worker, started_at)
       values ('echo', 'run-of-ended', 'failed', 1, 't', 'h', '{}', 'w', now())`,
    );
    await within((tx) => advance(tx, nowMs, "t.scheduler"));
    const { rows } = await pool.query("select schedule, state from engine_scheduler.slots");
    expect(Object.fromEntries(rows.map(({ schedule, state }) => [schedule, state]))).toEqual({
      ...{ "echo.going": "skipped", "echo.over": "fired", "echo.ended": "fired" },
    });
  });

  test("the history goes with its age: of short intervals after a day", async () => {
    await within((tx) => putSchedule(tx, spec("echo.long"), undefined));
    const short = { cron: undefined, everySeconds: 5 };
    await within((tx) => putSchedule(tx, spec("echo.short", short), undefined));
    const nowMs = Date.now();
    await pool.query(
      `insert into engine_scheduler.slots (schedule, slot_ms, state, decided_ms)
       select name, age, 'fired', $1::bigint - age::bigint * 3600000
       from unnest(array['echo.long', 'echo.short', 'echo.gone']) name, unnest(array[1, 30, 800]) age`,
      [nowMs],
    );
    expect(await purgeHistory(pool as Tx, 30, nowMs)).toBe(false);
    const { rows } = await pool.query(
      "select schedule || ' ' || slot_ms left from engine_scheduler.slots order by 1",
    );
    expect(rows.map(({ left }) => left)).toEqual([
      ...["echo.gone 1", "echo.gone 30", "echo.long 1", "echo.long 30", "echo.short 1"],
    ]);
  });

  test.each([
    ["no JSON", "[{", /JSON/],
    ["no list", "{}", /no list of schedules/],
    [
      "a cron that never fires",
      JSON.stringify([{ name: "echo.a", type: "echo.echo.v1", cron: "0 0 31 2 *" }]),
      /\[0\.cron\] never/,
    ],
  ])("a file with %s is told with its place", async (_what, text, message) => {
    const folder = await mkdtemp(join(tmpdir(), "schedules-"));
    try {
      const path = join(folder, "schedules.json");
      await writeFile(path, text);
      await expect(readScheduleFile(path)).rejects.toThrow(message);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
