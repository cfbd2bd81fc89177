/** The purge on a real Postgres: what it takes, what it leaves, and what comes again, late, at once, or open again. */
import { randomUUID } from "node:crypto";
import type { Tx } from "@tl-engine/shared";
import { atOnce } from "@tl-engine/shared";
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase } from "@tl-engine/shared/stores/database";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { factsOf } from "./facts.ts";
import { flow } from "./flow.ts";
import { findHistory, readHistory } from "./history.ts";
import { purge, Retention } from "./retention.ts";
import { FlowInput, IngestInput, type Scope } from "./schemas.ts";
import { addChanges } from "./store.ts";

const databaseUrl = process.env.DATABASE_URL;
const NOW = new Date("1995-03-31T12:00:00Z");
const STATES = {
  todo: { group: "unstarted" },
  doing: { group: "started" },
  done: { group: "completed" },
};

describe.skipIf(!databaseUrl)("the retention", () => {
  const log = createLog({}, "silent");
  // A database of its own: neither do other tests' workers purge its items, nor it theirs.
  const database = `retention_${randomUUID().replaceAll("-", "")}`;
  const given = databaseUrl ?? "postgres://unused";
  const own = new URL(given);
  own.pathname = `/${database}`;
  const server = openDatabase({ databaseUrl: given, max: 1, name: "retention test" }, log);
  const pool = openDatabase({ databaseUrl: own.href, max: 6, name: "retention test" }, log);
  beforeAll(async () => {
    await server.query(`create database ${database}`);
    const client = await pool.connect();
    try {
      await migrate(client, await readMigrations(import.meta.dirname));
    } finally {
      client.release();
    }
  });
  afterAll(async () => {
    await pool.end();
    await server.query(`drop database ${database}`);
    await server.end();
  });

  async function inTransaction<Result>(work: (tx: import("pg").PoolClient) => Promise<Result>) {
    const client = await pool.connect();
    try {
      await client.query("begin");
      const result = await work(client);
      await client.query("commit");
      return result;
    } finally {
      client.release(true);
    }
  }
  const ingest = (projectId: string, items: object[], workspaceId: string | null = "w") =>
    inTransaction((tx) => {
      const input = IngestInput.parse({ workspaceId, projectId, states: STATES, items });
      return addChanges(tx, [{ workspaceId, changes: factsOf(input).changes }], atOnce);
    });
  type Place = Awaited<ReturnType<typeof purge>>;
  const purgeOnce = (months: number, after?: Place) =>
    inTransaction((tx) => purge(tx, { ANALYTICS_RETENTION_MONTHS: months }, after, NOW));
  async function purgeAll(months = 24) {
    for (let after = await purgeOnce(months); after; ) after = await purgeOnce(months, after);
  }
  const count = async (table: "changes" | "settled", projectId: string) =>
    (
      await pool.query(
        `select count(*)::int as n from engine_analytics.${table} where project_id = $1`,
        [projectId],
      )
    ).rows[0].n;
  async function purgedTo(projectId: string, changes: number, settled: number) {
    await purgeAll();
    const counts = [await count("changes", projectId), await count("settled", projectId)];
    expect({ changes: counts[0], settled: counts[1] }).toEqual({ changes, settled });
  }
  async function ask(scope: Scope, from = "1994-01-01") {
    const { changes, settled } = await readHistory(
      pool,
      await findHistory(pool, scope),
      new AbortController().signal,
    );
    const window = { from, to: "1995-03-31", timeZone: "UTC" };
    const input = FlowInput.parse({
      scope,
      window,
      asOf: NOW.toISOString(),
      forecast: { simulations: 100 },
    });
    return atOnce(flow(input, changes, 0, settled));
  }

  /** Done in ten days of a year, of which it was over for two. */
  const item = (id: string, year: number, more: object = {}) => ({
    ...{ id, createdAt: `${year}-02-01T00:00:00Z`, state: "done", points: 3, labels: ["l"] },
    history: [
      ["02-03", "todo", "doing"],
      ["02-05", "doing", "done"],
      ["02-07", "done", "doing"],
      ["02-11", "doing", "done"],
    ].map(([day, from, to]) => ({ at: `${year}-${day}T00:00:00Z`, field: "state", from, to })),
    ...more,
  });

  test("what ended before the horizon is one row, and every answer since stays as it was", async () => {
    const projectId = randomUUID();
    const open = { ...item("open", 1992, { state: "todo", history: [] }) };
    const { history, ...rest } = item("touched", 1992, { labels: ["l", "late"] });
    const touch = { at: "1994-01-01T00:00:00Z", field: "label", to: "late" };
    const touched = { ...rest, history: [...history, touch] };
    const items = [item("old", 1992), item("older", 1980), item("young", 1994), open, touched];
    await ingest(projectId, items);
    const before = await ask({ projectId });
    const rows = await count("changes", projectId);
    await purgedTo(projectId, rows - 14, 2);
    expect(await ask({ projectId })).toEqual(before);

    const earlier = await ask({ projectId }, "1992-01-01");
    expect(earlier.cycleTime?.items).toContainEqual({
      ...{ itemId: "old", finishedAt: "1992-02-11T00:00:00.000Z" },
      ...{ cycleDays: 6, leadDays: 10 },
    });
    expect(earlier.throughput?.days.find(({ items }) => items > 0)).toEqual({
      ...{ date: "1992-02-11", items: 2 },
    });
    const warning = earlier.warnings.find(({ code }) => code === "beyond_retention");
    expect(warning).toMatchObject({ count: 1, itemIds: ["old"] });
    expect(warning?.message).toContain("1992-02-11");
  });

  test("what comes again makes no second item, and is taken again", async () => {
    const projectId = randomUUID();
    const items = [item("a", 1990), item("b", 1990)];
    await ingest(projectId, items);
    const before = await ask({ projectId }, "1989-01-01");
    await purgedTo(projectId, 0, 2);
    const settled = await ask({ projectId }, "1989-01-01");
    await ingest(projectId, items);
    expect(await count("changes", projectId)).toBe(14);
    expect(await ask({ projectId }, "1989-01-01")).toEqual(settled);
    expect(settled.cycleTime).toEqual(before.cycleTime);
    await purgedTo(projectId, 0, 2);
    expect(await ask({ projectId }, "1989-01-01")).toEqual(settled);
  });

  test("a settled item that is opened again goes on, and settles again", async () => {
    const projectId = randomUUID();
    await ingest(projectId, [item("a", 1990)]);
    await purgedTo(projectId, 0, 1);
    const change = (at: string, from: string, to: string) => ({ at, field: "state", from, to });
    await ingest(projectId, [
      { id: "a", history: [change("1992-02-11T00:00:00Z", "done", "doing")] },
    ]);
    const reopened = await ask({ projectId });
    expect(reopened.items).toEqual({ total: 1, open: 1, done: 0, cancelled: 0 });
    // Six days until it was done, and those since it is open again.
    const openDays = (NOW.getTime() - Date.parse("1992-02-11")) / 86_400_000;
    expect(reopened.aging?.items).toMatchObject([{ itemId: "a", ageDays: 6 + openDays }]);
    await purgedTo(projectId, 1, 1);
    await ingest(projectId, [
      { id: "a", history: [change("1992-02-12T00:00:00Z", "doing", "done")] },
    ]);
    await purgedTo(projectId, 0, 1);
    const output = await ask({ projectId }, "1992-01-01");
    expect(output.cycleTime?.items).toEqual([
      {
        ...{ itemId: "a", finishedAt: "1992-02-12T00:00:00.000Z" },
        ...{ cycleDays: 7, leadDays: 741 },
      },
    ]);
  });

  test("0 keeps all for ever, and a month ends with its last day", async () => {
    const projectId = randomUUID();
    // One month before 31 March is 28 February.
    const doneAt = (id: string, at: string) => ({
      ...{ id, createdAt: at, state: "done" },
      history: [{ at, field: "state", from: "todo", to: "done" }],
    });
    await ingest(projectId, [
      doneAt("before", "1995-02-28T11:59:59.999Z"),
      doneAt("after", "1995-02-28T12:00:00Z"),
    ]);
    await purgeAll(0);
    expect(await count("settled", projectId)).toBe(0);
    await purgeAll(1);
    expect(await count("settled", projectId)).toBe(1);
    expect(await count("changes", projectId)).toBe(2);
    expect(() => Retention.parse({ ANALYTICS_RETENTION_MONTHS: "-1" })).toThrow();
    expect(Retention.parse({})).toEqual({ ANALYTICS_RETENTION_MONTHS: 24 });
  });

  test("scopes find what is settled: its cycle, its workspace, and no other", async () => {
    const projectId = randomUUID();
    const [cycle, left] = [randomUUID(), randomUUID()];
    const moved = { at: "1990-02-02T00:00:00Z", field: "cycle", from: left, to: cycle };
    const { history, ...rest } = item("a", 1990, { cycle });
    await ingest(projectId, [{ ...rest, history: [...history, moved] }]);
    await purgedTo(projectId, 0, 1);
    const total = async (scope: Scope) => (await ask(scope)).items.total;
    expect(await total({ cycleId: cycle })).toBe(1);
    expect(await total({ cycleId: left })).toBe(0);
    expect(await total({ projectId, workspaceId: "w" })).toBe(1);
    expect(await total({ projectId, workspaceId: "other" })).toBe(0);
  });

  test("many that ended and are open again keep nothing else from being settled", async () => {
    const projectId = randomUUID();
    const again = { at: "1980-03-01T00:00:00Z", field: "state", from: "done", to: "doing" };
    const openAgain = Array.from({ length: 600 }, (_, i) => {
      const { history, ...rest } = item(`open-${i}`, 1980, { state: "doing" });
      return { ...rest, history: [...history, again] };
    });
    await ingest(projectId, openAgain);
    await ingest(projectId, [item("ended", 1991)]);
    await purgedTo(projectId, 600 * 8, 1);
  });

  test("a second purge does not wait for the first, and leaves all to it", async () => {
    const projectId = randomUUID();
    await ingest(projectId, [item("a", 1990)]);
    await inTransaction(async (tx) => {
      await purge(tx, { ANALYTICS_RETENTION_MONTHS: 24 }, undefined, NOW);
      expect(await purgeOnce(24)).toBeUndefined();
      expect(await count("settled", projectId)).toBe(0);
    });
    await purgedTo(projectId, 0, 1);
  });

  test("an item that something new comes of while it is looked at keeps its changes", async () => {
    const projectId = randomUUID();
    await ingest(projectId, [item("a", 1990)]);
    const news = { at: "1995-03-01T00:00:00Z", field: "label", to: "new" };
    await inTransaction(async (client) => {
      let asked = 0;
      const query = async (...args: unknown[]) => {
        const answer = await Reflect.apply(client.query, client, args);
        if (asked++ === 0) await ingest(projectId, [{ id: "a", history: [news] }]);
        return answer;
      };
      await purge({ query } as Tx, { ANALYTICS_RETENTION_MONTHS: 24 }, undefined, NOW);
      expect(asked).toBeGreaterThan(2);
    });
    expect([await count("changes", projectId), await count("settled", projectId)]).toEqual([8, 0]);
  });

  test("purges and ingests at once give what one after the other gives", async () => {
    const projectId = randomUUID();
    const items = Array.from({ length: 400 }, (_, i) => item(`item-${i}`, 1985 + (i % 10)));
    await ingest(projectId, items);
    const before = await ask({ projectId });
    const late = item("item-0", 1994, { createdAt: undefined });
    await Promise.all([
      ...[0, 1, 2].map(() => purgeAll()),
      ...[0, 1, 2].map((n) => ingest(projectId, items.slice(n * 50, n * 50 + 200).toReversed())),
      ...[0, 1].map(() => ask({ projectId }).then((output) => expect(output).toEqual(before))),
    ]);
    expect(await ask({ projectId })).toEqual(before);
    await Promise.all([purgeAll(), ingest(projectId, [late]), purgeAll()]);
    await purgeAll();
    expect(await count("settled", projectId)).toBe(360);
    expect((await ask({ projectId })).items).toEqual(before.items);
  });
});
