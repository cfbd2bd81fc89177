/** `make schedules` on the tables that the scheduler's own migration makes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase } from "@tl-engine/shared/stores/database";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { type OwnDatabase, useOwnDatabase } from "@tl-engine/shared/testing/own-database";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("./schedules.ts", import.meta.url));
const SCHEDULER = fileURLToPath(new URL("../../workers/scheduler", import.meta.url));
const HOUR_MS = 3_600_000;

let database: OwnDatabase;
let pool: ReturnType<typeof openDatabase>;
beforeAll(async () => {
  database = await useOwnDatabase();
  pool = openDatabase({ databaseUrl: database.url, max: 1, name: "test" }, createLog({}, "silent"));
});
afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

async function run(env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [SCRIPT], {
    env: { PATH: process.env.PATH, DATABASE_URL: database.url, ...env },
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { code, stdout, stderr };
}

const put = (name: string, spec: object, columns: Record<string, unknown> = {}) => {
  const row = { name, spec, source: "file", ...columns };
  return pool.query(
    `insert into engine_scheduler.schedules (${Object.keys(row).join(", ")})
     select ${Object.keys(row).join(", ")} from jsonb_populate_record(null::engine_scheduler.schedules, $1)`,
    [JSON.stringify(row)],
  );
};
const slot = (schedule: string, slotMs: number, state: string, count = 1) =>
  pool.query("insert into engine_scheduler.slots values ($1, $2, $3, $4, $2, $5)", [
    ...[schedule, slotMs, state, count],
    state === "fired" ? slotMs + 40 : null,
  ]);
const hold = (engine: string, id: string, runAtMs: number) =>
  pool.query(
    `insert into engine_scheduler.pending (engine, job_id, run_at_ms, due_ms, lane, type, generation, attempt, crashes,
       returns, input_hash, body) values ($1, $2, $3, $3, 'bulk', $1 || '.a.v1', 0, 1, 0, 0, '', '{}')`,
    [engine, id, runAtMs],
  );

test("without the scheduler's tables it says what to do", async () => {
  expect(await run()).toEqual({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(/no tables of the scheduler: run make migrate/),
  });
});

describe("with what a scheduler left", () => {
  const now = Date.now();
  const nextMs = Date.UTC(2030, 0, 1, 2);
  beforeAll(async () => {
    const client = await pool.connect();
    await migrate(client, await readMigrations(SCHEDULER));
    client.release();
    const nightly = { type: "files.sweep.v3", cron: "0 2 * * *", timeZone: "Europe/Madrid" };
    await put("files.nightly", nightly, {
      ...{ next_ms: nextMs, last_run_ms: now - HOUR_MS, last_job_id: "files.nightly:then" },
    });
    const often = { type: "books.count.v1", everySeconds: 90, timeZone: "UTC" };
    const byJob = { source: "job", publisher: "tl-plane" };
    await put("books.often", often, { ...byJob, paused: true, next_ms: now });
    await put("books.late", often, { ...byJob, next_ms: now - HOUR_MS });
    await slot("files.nightly", now - 3 * HOUR_MS, "missed", 7);
    await slot("files.nightly", now - 2 * HOUR_MS, "skipped");
    await slot("files.nightly", now - HOUR_MS, "fired");
    await hold("files", "a", Date.UTC(2031, 0));
    await hold("files", "b", Date.UTC(2032, 0));
    await hold("books", "a", now - 60_000);
  });

  test("it lists all, with what is odd about each, and a line for other programs", async () => {
    const { code, stdout, stderr } = await run();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const line = (start: string) => stdout.split("\n").find((one) => one.startsWith(start));
    expect(line("files.nightly")).toMatch(
      /0 2 \* \* \* Europe\/Madrid +file +2030-01-01T02:00:00Z +\S+Z +7 +1$/,
    );
    expect(line("books.often")).toMatch(/every 90 s +tl-plane +– +– +0 +0 +paused$/);
    expect(line("books.late")).toMatch(/late: is a scheduler running\?$/);
    expect(line("files  ")).toMatch(/ 2 +2031-01-01T00:00:00Z +2032-01-01T00:00:00Z +0 +4$/);
    expect(line("books  ")).toMatch(/ 1 .* 1 +2$/);
    expect(stdout.trimEnd().split("\n").at(-1)).toBe(
      "schedules: schedules=3 paused=1 missed=7 skipped=1 waiting=3 overdue=1",
    );
  });

  test("of one engine, as JSON", async () => {
    const { code, stdout } = await run({ NAME: "books", JSON: "1" });
    expect(code).toBe(0);
    const { schedules, held } = JSON.parse(stdout);
    expect(schedules.map(({ name }: { name: string }) => name)).toEqual([
      "books.late",
      "books.often",
    ]);
    expect(held).toEqual([
      {
        engine: "books",
        jobs: 1,
        overdue: 1,
        bytes: 2,
        nextMs: now - 60_000,
        lastMs: now - 60_000,
      },
    ]);
  });

  test("of one schedule, with its last slots, the latest first", async () => {
    const { code, stdout } = await run({ NAME: "files.nightly", LIMIT: "2" });
    expect(code).toBe(0);
    expect(stdout).toMatch(/last run {2}\S+Z files\.nightly:then/);
    expect(stdout).toMatch(/ fired +1 [\s\S]* skipped +1 /);
    expect(stdout).not.toContain("missed");
    const json = await run({ NAME: "files.nightly", JSON: "1" });
    expect(JSON.parse(json.stdout)).toMatchObject({
      ...{ name: "files.nightly", missed: 7, lastMissedMs: now - 3 * HOUR_MS },
      slots: [{ state: "fired", firedMs: now - HOUR_MS + 40 }, { state: "skipped" }, { count: 7 }],
    });
  });

  test.each([
    [{ NAME: "files.nightyl" }, 1, /no schedule files\.nightyl; did you mean files\.nightly\?/],
    [{ NAME: "files.other" }, 1, /no schedule files\.other; its engine has files\.nightly\./],
    [{ NAME: "none.other" }, 1, /no schedule none\.other; its engine has none\./],
    [{ NAME: "../x" }, 2, /neither a schedule, <engine>\.<name>, nor an engine/],
    [{ NAME: "Files" }, 2, /neither a schedule/],
    [{ LIMIT: "0" }, 2, /LIMIT must be a whole number from 1 to 10000/],
    [{ LIMIT: "x" }, 2, /LIMIT must be/],
    [{ DATABASE_URL: "postgres://127.0.0.1:1/a" }, 1, /does not answer/],
    [{ DATABASE_URL: "" }, 2, /DATABASE_URL/],
  ])("%o ends with %i", async (env, code, message) => {
    expect(await run(env)).toEqual({ code, stdout: "", stderr: expect.stringMatching(message) });
  });

  test("a user who may not read them is told whose URL it takes", async () => {
    await pool.query("drop role if exists reads_no_schedules");
    await pool.query("create role reads_no_schedules login password 'x'");
    try {
      const url = new URL(database.url);
      Object.assign(url, { username: "reads_no_schedules", password: "x" });
      expect(await run({ DATABASE_URL: url.href })).toMatchObject({
        ...{ code: 2, stderr: expect.stringMatching(/use the owner of the database/) },
      });
    } finally {
      await pool.query("drop role reads_no_schedules");
    }
  });
});
