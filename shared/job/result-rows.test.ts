/** The INSERTs against Postgres: whatever went in comes out to the byte, and what was there stays. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { probe } from "../testing/probe-engine.ts";
import {
  insertFirst,
  insertResults,
  isFirst,
  type ResultRow,
  selectResults,
} from "./result-rows.ts";

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
});
afterAll(() => fleet?.close());

const OPTIONS = { worker: "w", prepared: true, lockTimeoutMs: 500 };

/** Texts that a separator, a quote or an escape in the wrong place would break. */
const hostile = fc.string({
  unit: fc.constantFrom(
    "\u001f",
    "\\",
    '"',
    "'",
    ",",
    "{",
    "}",
    "\n",
    "\u0000",
    "ñ",
    "\ud83d",
    "a",
    " ",
  ),
});
const anyJson = fc.oneof(hostile, fc.jsonValue()).map((value) => JSON.stringify(value));

const rowsOf = (entropy: fc.Arbitrary<{ reply: string; events: string | null }>) =>
  fc.array(entropy, { minLength: 1, maxLength: 20 }).map((all) => all.map(newRow));

function newRow({ reply, events }: { reply: string; events: string | null }, n = 0): ResultRow {
  return {
    engine: "probe",
    jobId: `${fleet.newId()}:${n}._-`,
    generation: 0,
    status: "succeeded",
    code: null,
    attempt: 1 + (n % 3),
    type: n % 2 === 0 ? "probe.run.v1" : "activity.recorded",
    inputHash: `hash-${n}`,
    publisher: n % 2 === 0 ? null : "tl-plane",
    appId: n % 3 === 0 ? null : "plane web",
    reply,
    events,
    startedAtMs: 1_700_000_000_000 + n,
  };
}

const someRows = rowsOf(fc.record({ reply: anyJson, events: fc.option(anyJson) }));

/** A row that is alone has a statement of its own. */
const insertLone: typeof insertResults = async (pool, rows, options) => {
  for (const row of rows) await insertFirst(pool, [row], options);
  return [];
};

for (const [name, insert] of Object.entries({ insertFirst, insertLone, insertResults }))
  test(`${name}: what it stored is read back to the byte`, () =>
    fc.assert(
      fc.asyncProperty(someRows, async (rows) => {
        await insert(fleet.pool, rows, OPTIONS);
        const found = await selectResults(fleet.pool, rows);
        expect([...found.values()]).toEqual(
          expect.arrayContaining(rows.map((row) => expect.objectContaining(row))),
        );
        expect(found.size).toBe(rows.length);
      }),
      { numRuns: 50 },
    ));

test("a group in which one row was there before goes in without it, and finds it", async () => {
  const [before, ...others] = Array.from({ length: 5 }, (_, n) =>
    newRow({ reply: `{"n":${n}}`, events: null }, n),
  ) as [ResultRow, ...ResultRow[]];
  expect(await insertFirst(fleet.pool, [before], OPTIONS)).toBe(true);
  const again = { ...before, reply: '"other"' };
  expect(await insertFirst(fleet.pool, [again, ...others], OPTIONS)).toBe(false);
  expect((await selectResults(fleet.pool, others)).size).toBe(0);
  expect(await insertResults(fleet.pool, [again, ...others], OPTIONS)).toEqual([again]);
  const found = await selectResults(fleet.pool, [before, ...others]);
  expect(found.size).toBe(5);
  expect(found.get(`probe/${before.jobId}`)?.reply).toBe(before.reply);
});

test.each([1, 2])(
  "a lock on one of %i first rows is waited for no longer than asked",
  async (count) => {
    const rows = Array.from({ length: count }, (_, n) => newRow({ reply: "{}", events: null }, n));
    const zombie = await fleet.pool.connect();
    try {
      await zombie.query("begin");
      await insertFirst(zombie, rows.slice(0, 1), OPTIONS);
      // lock_not_available
      const refusal = { code: "55P03" };
      await expect(
        insertFirst(fleet.pool, rows, { ...OPTIONS, lockTimeoutMs: 50 }),
      ).rejects.toMatchObject(refusal);
    } finally {
      await zombie.query("rollback");
      zombie.release();
    }
    expect(await insertFirst(fleet.pool, rows, OPTIONS)).toBe(true);
  },
);

test("only a success of the job as published is a first row: a replay and a failure overwrite", () => {
  const row = newRow({ reply: "{}", events: null });
  expect(isFirst(row)).toBe(true);
  expect(isFirst({ ...row, generation: 1 })).toBe(false);
  expect(isFirst({ ...row, status: "failed", code: "rejected" })).toBe(false);
});

test("a replay overwrites the failure of its own publisher alone", async () => {
  for (const [before, after, isOverwritten] of [
    ["alice", "alice", true],
    [null, null, true],
    ["alice", "mallory", false],
    ["alice", null, false],
    [null, "mallory", false],
  ] as const) {
    const row = newRow({ reply: "{}", events: null });
    const failed = { ...row, status: "failed" as const, code: "rejected" as const };
    await insertResults(fleet.pool, [{ ...failed, publisher: before }], OPTIONS);
    const replay = { ...row, generation: 1, publisher: after };
    const missing = await insertResults(fleet.pool, [replay], OPTIONS);
    expect(missing).toEqual(isOverwritten ? [] : [replay]);
    const [stored] = (await selectResults(fleet.pool, [row])).values();
    expect(stored).toMatchObject({ publisher: before, generation: isOverwritten ? 1 : 0 });
  }
});
