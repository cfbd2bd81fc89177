/** The purge keeps up with a busy engine, takes nothing that is young, and nothing of its neighbours. */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { createOwnPurge, createPurge } from "./purge.ts";

let fleet: TestFleet;
let pool: pg.Pool;
beforeAll(async () => {
  fleet = await openTestFleet([]);
  pool = new pg.Pool({ connectionString: fleet.config.DATABASE_URL, max: 2 });
});
afterAll(async () => {
  await pool.end();
  await fleet.close();
});

const engine = `purge-${randomUUID()}`;
const neighbour = `purge-${randomUUID()}`;

async function insert(of: string, rows: number, ageDays: number) {
  await pool.query(
    `insert into engine.results
       (engine, job_id, generation, status, attempt, type, input_hash, reply, worker, started_at, finished_at)
     select $1, $3::text || '-' || n, 0, 'succeeded', 1, 't', 'h', '{}', $4, now(), now() - make_interval(days => $3::int)
     from generate_series(1, $2) as n`,
    [of, rows, ageDays, fleet.names.prefix],
  );
}

async function count(of: string): Promise<number> {
  const { rows } = await pool.query(
    "select count(*)::int as n from engine.results where engine = $1",
    [of],
  );
  return rows[0].n;
}

test("full batches follow one another at once, a short one ends it until the next interval", async () => {
  await insert(engine, 2_500, 31);
  await insert(engine, 10, 29);
  await insert(neighbour, 5, 31);
  const log = pino({ level: "silent" });
  // The first wait is a random part of the interval.
  const random = vi.spyOn(Math, "random").mockReturnValue(0);
  const purge = createPurge({ pool, engine, retentionDays: 30, log, catchUpMs: 0 });
  random.mockRestore();
  await vi.waitFor(
    async () => {
      purge.afterCommit();
      expect(await count(engine)).toBe(10);
    },
    { timeout: 10_000, interval: 20 },
  );
  await insert(engine, 3, 31);
  for (let i = 0; i < 20; i++) {
    purge.afterCommit();
    expect(await count(engine)).toBe(13);
  }
  expect(await count(neighbour)).toBe(5);
});

test("a database that takes no writes is told of once, and purged when it does again", async () => {
  const role = `purge_${randomUUID().slice(0, 8)}`;
  await pool.query(`create role ${role} login superuser`);
  await pool.query(`alter role ${role} set default_transaction_read_only = on`);
  const url = new URL(fleet.config.DATABASE_URL);
  url.username = role;
  const readOnly = new pg.Pool({ connectionString: url.href, max: 1 });
  const failures: { level: number; err?: { code?: string } }[] = [];
  const log = pino({ level: "debug" }, { write: (line) => failures.push(JSON.parse(line)) });
  const random = vi.spyOn(Math, "random").mockReturnValue(0);
  const purge = createPurge({ pool: readOnly, engine, retentionDays: 30, log, intervalMs: 0 });
  random.mockRestore();
  const until = (done: () => boolean | Promise<boolean>) =>
    vi.waitFor(
      async () => {
        purge.afterCommit();
        expect(await done()).toBe(true);
      },
      { timeout: 10_000, interval: 20 },
    );
  try {
    await insert(engine, 1, 40);
    const left = await count(engine);
    await until(() => failures.length >= 5);
    expect(failures.filter(({ level }) => level >= 40)).toMatchObject([{ err: { code: "25006" } }]);
    await pool.query(`alter role ${role} reset default_transaction_read_only`);
    await until(async () => (await count(engine)) < left);
  } finally {
    await readOnly.end();
    await pool.query(`drop role ${role}`);
  }
});

test("an engine's own purge goes on from where it stopped, and what fails is undone and begins anew", async () => {
  const table = `own_${randomUUID().replaceAll("-", "")}`;
  await pool.query(`create table ${table} (n int)`);
  const warned: string[] = [];
  const log = pino({ level: "warn" }, { write: (line) => warned.push(JSON.parse(line).msg) });
  const random = vi.spyOn(Math, "random").mockReturnValue(0);
  const given: unknown[] = [];
  const purge = createOwnPurge(
    async (tx, after) => {
      given.push(after);
      const n = given.length;
      await tx.query({ text: `insert into ${table} values ($1)`, values: [n] });
      if (n === 3) await tx.query("select 1 / 0");
      return n < 6 ? `place ${n}` : undefined;
    },
    { pool, log, catchUpMs: 0, intervalMs: 1 },
  );
  random.mockRestore();
  try {
    await vi.waitFor(
      () => {
        purge.afterCommit();
        expect(given.length).toBeGreaterThanOrEqual(7);
      },
      { timeout: 10_000, interval: 5 },
    );
    const places = [undefined, "place 1", "place 2", undefined, "place 4", "place 5", undefined];
    expect(given.slice(0, 7)).toEqual(places);
    expect(warned).toEqual(["purging the engine's own tables failed"]);
    const { rows } = await pool.query(`select n from ${table} where n < 6 order by n`);
    expect(rows.map(({ n }) => n)).toEqual([1, 2, 4, 5]);
  } finally {
    // The one that may still run must not meet a table that is gone.
    await vi.waitFor(() => expect(pool.idleCount).toBe(pool.totalCount));
    await pool.query(`drop table ${table}`);
  }
});
