/** The largest `ingest` that is accepted, on a real Postgres: it keeps nobody else waiting. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase } from "@tl-engine/shared/stores/database";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { watchTurns } from "@tl-engine/shared/testing/longest-turn";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import worker from "./index.ts";
import { largestIngest } from "./largest-ingest.fixture.ts";
import { IngestInput } from "./schemas.ts";

const databaseUrl = process.env.DATABASE_URL;

describe.skipIf(!databaseUrl)("the largest ingest", () => {
  const pool = openDatabase(
    { databaseUrl: databaseUrl ?? "postgres://unused", max: 1, name: "analytics test" },
    createLog({}, "silent"),
  );
  const { ingest } = worker.actions;
  type Jobs = Parameters<NonNullable<typeof ingest.handleBatch>>[0];
  type Batch = Parameters<NonNullable<typeof ingest.handleBatch>>[1];
  const input = IngestInput.parse(largestIngest(randomUUID()));

  beforeAll(async () => {
    const client = await pool.connect();
    try {
      await migrate(client, await readMigrations(import.meta.dirname));
    } finally {
      client.release();
    }
  });
  afterAll(() => pool.end());

  /** In one transaction, as the runtime does, which is not kept. */
  async function run(signal: AbortSignal) {
    const client = await pool.connect();
    try {
      await client.query("begin");
      return await ingest.handleBatch?.(
        [{ input }] as unknown as Jobs,
        { tx: client, signal } as unknown as Batch,
      );
    } finally {
      await client.query("rollback");
      client.release();
    }
  }

  test("never keeps the event loop for longer than 250 ms", async () => {
    const longestMs = watchTurns();
    const outputs = await run(new AbortController().signal);
    // 5,000 items with a creation, points and a cycle; 50,000 labels; 50,000 changes.
    expect(outputs).toMatchObject([{ items: 5_000, changes: 115_000, warningsTotal: 0 }]);
    expect(longestMs()).toBeLessThan(250);
  }, 60_000);

  test("ends soon after its signal is aborted", async () => {
    const stop = new AbortController();
    const running = run(stop.signal);
    await sleep(300);
    const abortedMs = performance.now();
    stop.abort(new Error("cancelled"));
    await expect(running).rejects.toThrow("cancelled");
    expect(performance.now() - abortedMs).toBeLessThan(1_000);
  }, 60_000);
});
