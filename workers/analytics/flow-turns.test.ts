/** The largest `flow` that is accepted, on a real Postgres: it ends in time and keeps nobody else waiting. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase } from "@tl-engine/shared/stores/database";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { watchTurns } from "@tl-engine/shared/testing/longest-turn";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import worker from "./index.ts";
import { CEILINGS, FlowInput } from "./schemas.ts";

const databaseUrl = process.env.DATABASE_URL;
const ONE_ITEM = 150_000;
const OTHER_ITEMS = 70_000;
/** One item with 50 changes per instant; others that are done, spread over a year. */
const FILL = `
  insert into engine_analytics.changes
    (project_id, change_id, workspace_id, item_id, at_ms, field, from_value, to_value, from_group, to_group, initial)
  select $1, 'one' || n, 'w', 'one', 1735689600000 + (n / 50) * 60000, 'state',
    's' || (n * 31) % 17, 's' || ((n + 1) * 31) % 17, 'unstarted', 'started', false
  from generate_series(1, ${ONE_ITEM}) n
  union all
  select $1, field || n, 'w', 'item' || n, 1735689600000 + n * 315360::bigint, field,
    null, case field when 'state' then 'done' end, null, case field when 'state' then 'completed' end, field = 'state'
  from generate_series(1, ${OTHER_ITEMS}) n, unnest(array['created', 'state']) field
  union all
  select $1, 'cycle', 'w', 'one', 1735689600000, 'cycle', null, $2, null, null, false`;

describe.skipIf(!databaseUrl)("the largest flow", () => {
  const pool = openDatabase(
    { databaseUrl: databaseUrl ?? "postgres://unused", max: 1, name: "analytics test" },
    createLog({}, "silent"),
  );
  const { flow } = worker.actions;
  type Job = Parameters<NonNullable<typeof flow.handle>>[1];
  const [project, cycle] = [randomUUID(), randomUUID()];
  const run = (input: object, signal: AbortSignal) =>
    flow.handle?.(FlowInput.parse(input), { db: pool, signal } as unknown as Job);

  beforeAll(async () => {
    const client = await pool.connect();
    try {
      await migrate(client, await readMigrations(import.meta.dirname));
      await client.query(FILL, [project, cycle]);
    } finally {
      client.release();
    }
  }, 60_000);
  afterAll(async () => {
    await pool.query("delete from engine_analytics.changes where project_id = $1", [project]);
    await pool.end();
  }, 60_000);

  const forecast = {
    simulations: Math.floor(CEILINGS.simulatedDays / 1_826),
    remaining: 1_000_000,
  };
  const largest = {
    // A forecast for a cycle replays its projects too.
    scope: { cycleId: cycle },
    window: { from: "2016-01-01", to: "2025-12-31", timeZone: "Europe/Madrid" },
    asOf: "2026-02-01T00:00:00.000Z",
    forecast,
    svg: true,
  };

  test("never keeps the event loop for longer than 200 ms", async () => {
    const longestMs = watchTurns();
    const output = await run(largest, new AbortController().signal);
    expect(output).toMatchObject({
      items: { total: 1 },
      forecast: { simulations: forecast.simulations, historyDays: 180 },
    });
    expect(longestMs()).toBeLessThan(200);
  }, 60_000);

  test("ends soon after its signal is aborted", async () => {
    const stop = new AbortController();
    const running = run(largest, stop.signal);
    const reading = pool.query("select 1"); // The pool has one connection: it is answered after the read.
    await reading;
    await sleep(300);
    const abortedMs = performance.now();
    stop.abort(new Error("cancelled"));
    await expect(running).rejects.toThrow("cancelled");
    expect(performance.now() - abortedMs).toBeLessThan(500);
  }, 60_000);

  test("one change more than it may read is refused, with what to do", async () => {
    const missing = CEILINGS.changesPerFlow - ONE_ITEM - 2 * OTHER_ITEMS;
    await pool.query(
      `insert into engine_analytics.changes (project_id, change_id, item_id, at_ms, field, initial)
      select $1, 'more' || n, 'more', n, 'deleted', false from generate_series(1, ${missing}) n`,
      [project],
    );
    const running = run(largest, new AbortController().signal);
    await expect(running).rejects.toThrow("ask for fewer projects at a time");
  });
});
