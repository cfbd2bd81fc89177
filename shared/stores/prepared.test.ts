/** Prepared statements behind a pooler that gives every transaction another server connection. */
import pg from "pg";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createCommits } from "../job/commit.ts";
import type { ResultRow } from "../job/result-rows.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { probe } from "../testing/probe-engine.ts";

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
});
afterAll(() => fleet?.close());

const newRow = (): ResultRow => ({
  engine: "probe",
  jobId: fleet.newId(),
  generation: 0,
  status: "succeeded",
  code: null,
  attempt: 1,
  type: "probe.run.v1",
  inputHash: "hash",
  publisher: null,
  appId: null,
  reply: "{}",
  events: null,
  startedAtMs: Date.now(),
});

function openCommits(warnings: unknown[]) {
  const log = pino({ level: "warn" }, { write: (line) => warnings.push(JSON.parse(line)) });
  const outages: boolean[] = [];
  const onOutage = (down: boolean) => outages.push(down);
  const { pool } = fleet;
  return { commits: createCommits({ pool, worker: "w", prepared: true, log, onOutage }), outages };
}

/** What a worker meets whose statement was prepared on another connection. */
const forgetStatements = () => fleet.pool.query("deallocate all");

test("a statement that is gone costs nothing but the preparing, and is reported once", async () => {
  const warnings: { msg: string }[] = [];
  const { commits, outages } = openCommits(warnings);
  expect((await commits.commit(newRow())).kind).toBe("first");
  expect(warnings).toEqual([]);
  await forgetStatements();
  const row = newRow();
  expect(await commits.commit(row)).toEqual({ kind: "first", row });
  expect((await commits.commit({ ...row, reply: "[]" })).kind).toBe("before");
  expect(warnings).toMatchObject([{ msg: expect.stringContaining("DATABASE_PREPARED") }]);
  expect(outages).toEqual([]);
});

test("within a job's own transaction the job is told that nothing was done", async () => {
  const { commits } = openCommits([]);
  const client = await fleet.pool.connect();
  try {
    await client.query("begin");
    expect(await commits.commitIn(client, [newRow()])).toEqual({ kind: "committed" });
    await client.query("deallocate all");
    await client.query("begin");
    await expect(commits.commitIn(client, [newRow()])).rejects.toMatchObject({
      name: "StatementLost",
      code: "08000",
    });
    await client.query("rollback");
    await client.query("begin");
    expect(await commits.commitIn(client, [newRow()])).toEqual({ kind: "committed" });
  } finally {
    client.release();
  }
});

test("a value that no text can hold ends its own job, and holds up nobody", async () => {
  const { commits, outages } = openCommits([]);
  const bad: ResultRow = { ...newRow(), generation: 1, startedAtMs: 1n as unknown as number };
  const rows = [{ ...newRow(), generation: 1 }, bad, { ...newRow(), generation: 1 }];
  const committed = await Promise.all(rows.map((row) => commits.commit(row)));
  expect(committed.map(({ kind }) => kind)).toEqual(["first", "unstorable", "first"]);
  expect(outages).toEqual([]);
});

test("a pool that is closed is no outage: nothing is waited for", async () => {
  const pool = new pg.Pool({ connectionString: fleet.config.DATABASE_URL });
  await pool.end();
  const outages: boolean[] = [];
  const onOutage = (down: boolean) => outages.push(down);
  const log = pino({ level: "silent" });
  const commits = createCommits({ pool, worker: "w", prepared: true, log, onOutage });
  const both = [commits.commit(newRow()), commits.commit(newRow()), commits.read("probe", "id")];
  for (const { status } of await Promise.allSettled(both)) expect(status).toBe("rejected");
  expect(outages).toEqual([]);
});
