/** What one publisher's schedules and jobs must not do to everybody else's, on a real Postgres. */
import type { Tx } from "@tl-engine/shared";
import { createLog } from "@tl-engine/shared/process/log";
import { asTransaction, openDatabase } from "@tl-engine/shared/stores/database";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { type OwnDatabase, useOwnDatabase } from "@tl-engine/shared/testing/own-database";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { advance } from "./advance.ts";
import { backfill, run, type Scheduler } from "./control.ts";
import { hold } from "./hold.ts";
import { purgeHistory } from "./purge.ts";
import { DatabaseClock, runRound } from "./round.ts";
import { putSchedule, syncFile } from "./schedules.ts";
import { ShutQueues } from "./shut-queues.ts";
import { ScheduleInput, specOf } from "./spec.ts";

const log = createLog({}, "silent");
const OWN = "t.scheduler";
const scheduler: Scheduler = { publisher: () => OWN, isAdmin: () => false, onPut: () => {} };
let database: OwnDatabase;
let pool: ReturnType<typeof openDatabase>;

beforeAll(async () => {
  database = await useOwnDatabase();
  pool = openDatabase({ databaseUrl: database.url, max: 4, name: "scheduler test" }, log);
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

const within = <T>(work: (tx: Tx) => Promise<T>) =>
  asTransaction(pool, work as never) as Promise<T>;
const spec = (name: string, more: object = {}) =>
  specOf(
    ScheduleInput.parse({
      ...{ name, type: `${name.split(".")[0]}.echo.v1`, cron: "0 3 * * *" },
      ...more,
    } as never),
  );
const putAs = (publisher: string | undefined, name: string, more: object = {}) =>
  within((tx) => putSchedule(tx, spec(name, more), publisher));
const dueNow = (atMs: number) =>
  pool.query("update engine_scheduler.schedules set next_ms = $1", [atMs]);
const pending = async () =>
  (
    await pool.query(
      "select job_id id, publisher, engine, due_ms::float8 due, tries from engine_scheduler.pending order by job_id",
    )
  ).rows;
const asking = (tx: Tx, publisher: string) => ({ id: "j1", publisher, tx: async () => tx });

test("a schedule whose input holds a NUL keeps nobody's history from being purged", async () => {
  await putAs("mallory", "echo.poison", { input: { "a\0": "\0" } });
  const nowMs = Date.now();
  // One that is past its age, and one that would be if its schedule's interval were short.
  await pool.query(
    "insert into engine_scheduler.slots (schedule, slot_ms, state, decided_ms) values ('echo.old', 1, 'fired', 1), ('echo.young', 1, 'fired', $1)",
    [nowMs - 5 * 86_400_000],
  );
  await purgeHistory(pool as Tx, 30, nowMs);
  const { rows } = await pool.query("select schedule from engine_scheduler.slots");
  expect(rows).toEqual([{ schedule: "echo.young" }]);
});

test("what a publisher's schedule runs is the publisher's, and not the scheduler's own", async () => {
  const atMs = Date.UTC(2026, 0, 1, 3);
  await putAs("mallory", "scheduler.evil", { type: "scheduler.cancel.v1" });
  await putAs(undefined, "echo.nobody");
  await within((tx) => syncFile(tx, [spec("echo.file")]));
  await dueNow(atMs);
  await within((tx) => advance(tx, atMs + 1, OWN));
  const input = {
    name: "scheduler.evil",
    from: "2025-12-30T00:00:00Z",
    to: "2025-12-31T00:00:00Z",
  };
  await within((tx) => run("scheduler.evil", asking(tx, "mallory"), scheduler));
  await within((tx) => backfill(input, asking(tx, "mallory"), scheduler));
  const whose = (await pending()).map(({ id, publisher }) => [id.split(":")[0], publisher]);
  expect(whose).toEqual([
    ["echo.file", OWN],
    ["echo.nobody", null],
    ["scheduler.evil", "mallory"],
    ["scheduler.evil", "mallory"],
    ["scheduler.evil", "mallory"],
  ]);
});

const HELD: Parameters<typeof hold>[0][number] = {
  ...{ engine: "echo", lane: "interactive", id: "job-1", type: "echo.echo.v1", runAtMs: 5_000 },
  ...{ generation: 0, attempt: 1, crashes: 0, returns: 0, inputHash: "h", body: "{}" },
};

test("a job that somebody holds under a slot's id takes no slot away", async () => {
  const atMs = Date.UTC(2026, 0, 1, 3);
  await within((tx) => syncFile(tx, [spec("echo.file")]));
  const id = "echo.file:2026-01-01T03:00:00.000Z";
  const far = { ...HELD, id, publisher: "mallory", runAtMs: atMs + 1e10 };
  await within((tx) => hold([far], tx, () => {})).catch(() => {});
  await dueNow(atMs);
  await within((tx) => advance(tx, atMs + 1, OWN));
  expect(await pending()).toMatchObject([{ id, publisher: OWN, due: atMs }]);
});

test("a backfill of large inputs takes a few megabytes at a time", async () => {
  await putAs("mallory", "echo.large", {
    everySeconds: 60,
    cron: undefined,
    input: "x".repeat(60_000),
  });
  let largest = 0;
  const input = { name: "echo.large", from: "2026-01-01T00:00:00Z", to: "2026-01-01T16:00:00Z" };
  await within(async (tx) => {
    const query = ((text: string, values: string[] = []) => {
      largest = Math.max(largest, ...values.map((value) => String(value).length));
      return tx.query(text, values);
    }) as Tx["query"];
    const job = { ...asking(tx, "mallory"), tx: async () => ({ query }) };
    expect(await backfill(input, job, scheduler)).toEqual({ slots: 961, put: 961 });
  });
  expect(await pending()).toHaveLength(961);
  expect(largest).toBeLessThan(10 * 1_048_576);
});

test.each(["refused", "unconfirmed"] as const)(
  "jobs whose queue leaves them %s hold up no other's, however many and large they are",
  async (end) => {
    const body = JSON.stringify("x".repeat(4 * 1_048_576));
    const stuck = Array.from({ length: 12 }, (_, n) => ({
      ...{ ...HELD, engine: "stuck", id: `stuck-${n}`, body, runAtMs: n },
    }));
    for (const job of stuck) await within((tx) => hold([job], tx, () => {}));
    await within((tx) => hold([{ ...HELD, id: "other", runAtMs: 100 }], tx, () => {}));
    const sent: string[] = [];
    let isStuck = true;
    const [clock, shut] = [new DatabaseClock(), new ShutQueues()];
    const round = () =>
      runRound({
        ...{ db: pool as Tx, transact: within, clock, shut, xids: [], publisher: OWN },
        signal: new AbortController().signal,
        async publish({ engine, id }) {
          sent.push(id);
          return isStuck && engine === "stuck" ? end : "routed";
        },
      });
    await round();
    const { nextMs = 0 } = await round();
    expect(sent).toEqual(["stuck-0", "other"]);
    expect(nextMs - clock.now()).toBeGreaterThan(0);
    expect(nextMs - clock.now()).toBeLessThanOrEqual(1_000);
    isStuck = false;
    while ((await pending()).length > 0) await round();
    expect(new Set(sent).size).toBe(13);
  },
  20_000,
);
