/** The actions on a real Postgres: what is stored once, what is read back, and what concurrent workers do. */
import { randomUUID } from "node:crypto";
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase } from "@tl-engine/shared/stores/database";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { runAction, runBatch } from "@tl-engine/shared/testing/test-job";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findHistory, readHistory } from "./history.ts";
import worker from "./index.ts";

const databaseUrl = process.env.DATABASE_URL;

describe.skipIf(!databaseUrl)("on Postgres", () => {
  const log = createLog({}, "silent");
  const pool = openDatabase(
    { databaseUrl: databaseUrl ?? "postgres://unused", max: 4, name: "analytics test" },
    log,
  );
  const { ingest, flow } = worker.actions;

  beforeAll(async () => {
    const client = await pool.connect();
    try {
      await migrate(client, await readMigrations(import.meta.dirname));
    } finally {
      client.release();
    }
  });
  afterAll(async () => {
    expect({ total: pool.totalCount, idle: pool.idleCount }).toEqual({
      total: pool.idleCount,
      idle: pool.totalCount,
    });
    await pool.query("delete from engine_analytics.changes where project_id = any($1)", [projects]);
    await pool.end();
  });
  const projects: string[] = [];
  /** Random, and gone at the end. */
  function newProject(start = ""): string {
    const id = `${start}${randomUUID()}`;
    projects.push(id);
    return id;
  }

  /** One batch in one transaction, as the runtime makes it. */
  async function ingestAll(inputs: unknown[]) {
    const client = await pool.connect();
    try {
      await client.query("begin");
      const { outputs } = await runBatch(ingest, inputs as never[], { tx: client });
      await client.query("commit");
      return outputs;
    } finally {
      client.release();
    }
  }
  const ask = async (input: unknown) =>
    (await runAction(flow, input as never, { db: pool })).output;
  const rowsOf = async (projectId: string) =>
    (
      await pool.query(
        "select * from engine_analytics.changes where project_id = $1 order by change_id",
        [projectId],
      )
    ).rows;

  const STATES = { todo: { group: "unstarted" }, done: { group: "completed" } };
  const job = (projectId: string, ids: string[], more: object = {}) => ({
    workspaceId: "w",
    projectId,
    states: STATES,
    items: ids.map((id) => ({
      id,
      createdAt: "2025-06-01T10:00:00.000Z",
      state: "done",
      history: [{ at: "2025-06-03T10:00:00.123Z", field: "state", from: "todo", to: "done" }],
      ...more,
    })),
  });
  const window = { from: "2025-06-01", to: "2025-06-05", timeZone: "UTC" };

  test("repeats within a batch and between batches change nothing", async () => {
    const projectId = newProject();
    const outputs = await ingestAll([job(projectId, ["a", "b"]), job(projectId, ["b", "c"])]);
    expect(outputs).toMatchObject([
      { items: 2, changes: 4 },
      { items: 2, changes: 4 },
    ]);
    const before = await rowsOf(projectId);
    expect(before).toHaveLength(6);
    await ingestAll([job(projectId, ["c", "a"])]);
    expect(await rowsOf(projectId)).toEqual(before);
    const output = await ask({ scope: { projectId }, window });
    expect(output.items).toEqual({ total: 3, open: 0, done: 3, cancelled: 0 });
    expect(output.cycleTime?.items[0]?.finishedAt).toBe("2025-06-03T10:00:00.123Z");
    expect(output.burn?.map(({ remaining, done }) => [remaining, done])).toEqual([
      [3, 0],
      [3, 0],
      [0, 3],
      [0, 3],
      [0, 3],
    ]);
  });

  test("an empty batch writes nothing", async () => {
    const projectId = newProject();
    expect(await ingestAll([{ workspaceId: "w", projectId, items: [] }])).toMatchObject([
      { items: 0 },
    ]);
    expect(await rowsOf(projectId)).toEqual([]);
  });

  test("scopes: several projects, a cycle across projects, a workspace", async () => {
    const [one, two, cycle] = [newProject(), newProject(), randomUUID()];
    await ingestAll([
      job(one, ["a"], { cycle }),
      job(two, ["a", "b"], { cycle }),
      { ...job(two, ["c"]), workspaceId: "other" },
      { ...job(two, ["d"]), workspaceId: null },
    ]);
    const total = async (scope: object) => (await ask({ scope, window })).items.total;
    expect(await total({ projectId: two })).toBe(4);
    expect(await total({ projectIds: [one, two] })).toBe(5);
    expect(await total({ cycleId: cycle })).toBe(3);
    expect(await total({ projectId: two, workspaceId: "other" })).toBe(2);
    const unknown = await ask({ scope: { projectId: randomUUID() }, window, svg: true });
    expect(unknown).toMatchObject({
      items: { total: 0 },
      warnings: [{ code: "nothing_recorded" }],
    });
  });

  test("a history of many pages and many projects is read whole, each fact once", async () => {
    const [large, ...small] = Array.from({ length: 6 }, () => newProject());
    const fill = (projectId: string, count: number) =>
      pool.query(
        `insert into engine_analytics.changes
          (project_id, change_id, workspace_id, item_id, at_ms, field, to_value, initial)
        select $1, 'c' || n, 'w', 'i' || n % 9, n / 3, 'state', 's', false from generate_series(1, ${count}) n`,
        [projectId],
      );
    await fill(large as string, 20_000);
    for (const projectId of small) await fill(projectId, 4_000);
    const history = await findHistory(pool, { projectIds: projects.slice(-6) });
    expect(history.changes).toBe(40_000);
    const { changes } = await readHistory(pool, history, new AbortController().signal);
    expect(new Set(changes.map((fact) => `${fact.projectId} ${fact.changeId}`)).size).toBe(40_000);
    expect(changes).toHaveLength(40_000);
  });

  test("workers that add the same facts at once, in other orders, never deadlock", async () => {
    const projectId = newProject();
    const ids = Array.from({ length: 300 }, (_, i) => `item-${i}`);
    const parts = [ids, ids.toReversed(), ids.slice(100), ids.slice(0, 200).toReversed()];
    await Promise.all(parts.map((part) => ingestAll([job(projectId, part)])));
    expect(await rowsOf(projectId)).toHaveLength(600);
  });

  test("awkward text comes back as it went in", async () => {
    const projectId = newProject(`p'"\\ \u202e`);
    const id = "ñ\n'; drop table x; --\t{},\"";
    await ingestAll([job(projectId, [id])]);
    const output = await ask({ scope: { projectId }, window, title: "<script>&", svg: true });
    expect(output.cycleTime?.items[0]?.itemId).toBe(id);
    expect(output.svg?.cumulativeFlow).toContain("&lt;script&gt;&amp;: Cumulative flow");
  });

  test("migrations run once and can meet what is there", async () => {
    const client = await pool.connect();
    try {
      expect(await migrate(client, await readMigrations(import.meta.dirname))).toEqual([]);
      for (const { schema, sql } of await readMigrations(import.meta.dirname))
        if (schema === "engine_analytics") await client.query(sql);
    } finally {
      client.release();
    }
  });
});
