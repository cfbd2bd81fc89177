/** Rules that were put, and what is known of items, on a real Postgres: twice, late, out of order, side by side. */
import { randomUUID } from "node:crypto";
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase } from "@tl-engine/shared/stores/database";
import { migrate, readMigrations } from "@tl-engine/shared/stores/migrate";
import { runBatch } from "@tl-engine/shared/testing/test-job";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reactInputOf } from "./activity-event.ts";
import worker from "./index.ts";
import { purge } from "./item-store.ts";
import type { AutomationFired } from "./schemas.ts";
import { ruleOf } from "./try-rule.fixture.ts";

const databaseUrl = process.env.DATABASE_URL;

/** What the actions are to a test; its rows are gone at its end. */
function onPostgres() {
  const log = createLog({}, "silent");
  const pool = openDatabase(
    { databaseUrl: databaseUrl ?? "postgres://unused", max: 4, name: "automations test" },
    log,
  );
  const places: string[] = [];

  beforeAll(async () => {
    const client = await pool.connect();
    try {
      await migrate(client, await readMigrations(import.meta.dirname));
    } finally {
      client.release();
    }
  });
  afterAll(async () => {
    expect(pool.idleCount).toBe(pool.totalCount);
    await pool.query("delete from engine_automations.rule_sets where workspace_id = any($1)", [
      places,
    ]);
    await pool.query("delete from engine_automations.items where project_id = any($1)", [places]);
    await pool.end();
  });

  async function run(name: "rules" | "items" | "react", inputs: unknown[]) {
    const client = await pool.connect();
    try {
      await client.query("begin");
      const done = await runBatch(worker.actions[name] as never, inputs as never[], { tx: client });
      await client.query("commit");
      return done as {
        outputs: Record<string, unknown>[];
        jobs: { emitted: { data: unknown }[] }[];
      };
    } finally {
      client.release();
    }
  }
  /** As the job of this id, as a message that comes again is. */
  async function reactAs(id: string, input: unknown): Promise<unknown[]> {
    const { input: schema, handleBatch } = worker.actions.react;
    const fired: unknown[] = [];
    const job = { id, attempt: 1, deadline: undefined, input: schema.parse(input) };
    const client = await pool.connect();
    try {
      await client.query("begin");
      const emit = (_: string, data: unknown) => fired.push(data);
      await handleBatch?.([{ ...job, emit }] as never, { tx: client, log } as never);
      await client.query("commit");
      return fired;
    } finally {
      client.release();
    }
  }
  const firedBy = ({ jobs }: Awaited<ReturnType<typeof run>>) =>
    jobs.flatMap(({ emitted }) => emitted.map(({ data }) => data as AutomationFired));

  return {
    pool,
    run,
    reactAs,
    /** A workspace or project of the test's own. */
    newPlace(name: string): string {
      const id = `${name}-${randomUUID()}`;
      places.push(id);
      return id;
    },
    put: async (input: object) => (await run("rules", [input])).outputs[0],
    react: async (...inputs: object[]) => firedBy(await run("react", inputs)),
    /** Events as `activities` announces them. */
    record: async (...events: object[]) => firedBy(await run("react", events.map(reactInputOf))),
  };
}

const EPOCH_S = 1_774_958_400;
const isoAt = (second: number) => new Date((EPOCH_S + second) * 1_000).toISOString();

describe.skipIf(!databaseUrl)("on Postgres", () => {
  const { pool, run, reactAs, newPlace, put, react, record } = onPostgres();
  const say = (text: string, conditions?: unknown, more: object = {}) =>
    ruleOf(conditions, { id: text, actions: [{ type: "comment", text }], ...more });
  const newOnes = () => ({ workspaceId: newPlace("w"), projectId: newPlace("p") });
  const updated = (place: object, more: object = {}) => ({
    ...place,
    epoch: EPOCH_S,
    items: [{ id: "i", type: "item.updated", ...more }],
  });
  const storedRow = async (workspaceId: string) =>
    (
      await pool.query(
        "select set_id, version::text, digest, project_id, rules from engine_automations.rule_sets where workspace_id = $1 order by set_id",
        [workspaceId],
      )
    ).rows;
  const factsOf = async (projectId: string) =>
    (
      await pool.query(
        "select item_id, workspace_id, facts, deleted_at_ms::text from engine_automations.items where project_id = $1 order by item_id",
        [projectId],
      )
    ).rows.map((row) => ({ ...row, facts: JSON.parse(row.facts) }));

  test("a set that was put once works without further calls", async () => {
    const { workspaceId, projectId } = newOnes();
    await put({
      workspaceId,
      put: [
        {
          id: "set",
          version: 7,
          rules: [say("done", { field: "stateGroup", op: "equals", value: "completed" })],
        },
      ],
    });
    const event = {
      workspaceId,
      projectId,
      issueId: "i",
      type: "issue.activity.updated",
      actorId: "ada",
      epoch: EPOCH_S,
      activities: [
        {
          issueId: "i",
          verb: "updated",
          field: "state",
          oldIdentifier: "doing",
          newIdentifier: "done",
        },
      ],
      states: {
        doing: { name: "Doing", group: "started" },
        done: { name: "Done", group: "completed" },
      },
      cause: { depth: 2, path: ["a", "b"] },
    };
    const [fired, ...others] = await record(event);
    expect(others).toEqual([]);
    expect(fired).toEqual({
      id: expect.stringMatching(/^fire-[\w-]{27}$/),
      workspaceId,
      projectId,
      itemId: "i",
      setId: "set",
      setVersion: 7,
      ruleId: "done",
      event: { type: "item.updated", actorId: "ada", epoch: EPOCH_S },
      actions: [{ type: "comment", text: "done" }],
      depth: 3,
      path: ["a", "b", "done"],
    });
    const tooDeep = { ...event, cause: { depth: 10, path: ["x"] } };
    expect(await record(tooDeep)).toEqual([]);
    const { outputs } = await run("react", [
      { ...updated({ workspaceId, projectId }), depth: 10, path: ["x", "y"] },
    ]);
    expect(outputs[0]?.ended).toContain("x → y");
  });

  test("the highest version counts, in whatever order sets come, and removals too", async () => {
    const versions = [
      { put: [{ id: "s", version: 1, rules: [say("one")] }] },
      { put: [{ id: "s", version: 2, rules: [say("two")] }] },
      { put: [{ id: "s", version: 2, rules: [say("two in other words")] }] },
      { remove: [{ id: "s", version: 3 }] },
      { put: [{ id: "s", version: 3, rules: [say("three")] }] },
      { put: [{ id: "t", version: 1, rules: [say("t")] }], remove: [{ id: "s", version: 0 }] },
    ];
    const ends = new Set<string>();
    for (const order of fc.sample(fc.shuffledSubarray(versions, { minLength: 6 }), {
      numRuns: 8,
      seed: 4,
    })) {
      const workspaceId = newPlace("w");
      // Some come in one batch, some come twice.
      const jobs = order.map((job) => ({ workspaceId, ...job }));
      await run("rules", jobs.slice(0, 3));
      for (const job of [...jobs.slice(2), jobs[0]]) await run("rules", [job]);
      ends.add(JSON.stringify(await storedRow(workspaceId)));
    }
    expect(ends.size).toBe(1);
    expect(JSON.parse([...ends][0] as string)).toMatchObject([
      { set_id: "s", version: "3", rules: null },
      { set_id: "t", version: "1" },
    ]);
  });

  test("what was stored and what was stale is told", async () => {
    const workspaceId = newPlace("w");
    const set = (version: number) => ({ id: "s", version, rules: [say("x"), { id: "bad" }] });
    expect(await put({ workspaceId, put: [set(2)] })).toMatchObject({
      stored: 1,
      stale: 0,
      rules: 1,
      warningsTotal: 2,
    });
    expect(await put({ workspaceId, put: [set(1)] })).toMatchObject({ stored: 0, stale: 1 });
    expect(await put({ workspaceId, remove: [{ id: "s", version: 3 }] })).toMatchObject({
      stored: 1,
    });
    expect(await put({ workspaceId, put: [set(3)] })).toMatchObject({ stored: 0, stale: 1 });
  });

  test("a new version of a set counts at once, and a removed one no more", async () => {
    const place = newOnes();
    const texts = async () => (await react(updated(place))).map(({ ruleId }) => ruleId);
    await put({
      workspaceId: place.workspaceId,
      put: [{ id: "s", version: 1, rules: [say("one")] }],
    });
    expect(await texts()).toEqual(["one"]);
    await put({
      workspaceId: place.workspaceId,
      put: [{ id: "s", version: 2, rules: [say("two"), say("three")] }],
    });
    expect(await texts()).toEqual(["two", "three"]);
    await put({ workspaceId: place.workspaceId, remove: [{ id: "s", version: 3 }] });
    expect(await texts()).toEqual([]);
  });

  test("sets count where they belong: a project's own, a workspace's, and no other", async () => {
    const place = newOnes();
    const { workspaceId, projectId } = place;
    const other = newPlace("p");
    await put({
      workspaceId,
      put: [
        { id: "b-all", version: 1, rules: [say("all")] },
        { id: "a-own", version: 1, projectId, rules: [say("own")] },
        { id: "c-other", version: 1, projectId: other, rules: [say("other")] },
      ],
    });
    await put({
      workspaceId: newPlace("w"),
      put: [{ id: "x", version: 1, rules: [say("strange")] }],
    });
    const ids = async (input: object) => (await react(input)).map(({ ruleId }) => ruleId);
    expect(await ids(updated(place))).toEqual(["own", "all"]);
    // Of an item whose workspace an event told before, it is known.
    expect(await ids(updated({ projectId }))).toEqual(["own", "all"]);
    expect(
      await ids({ ...updated({ projectId }), items: [{ id: "new", type: "item.updated" }] }),
    ).toEqual(["own"]);
    expect(await ids(updated({ workspaceId, projectId: other }))).toEqual(["all", "other"]);
  });

  test("an event that comes twice fires with the same ids and changes nothing", async () => {
    const place = newOnes();
    await put({
      workspaceId: place.workspaceId,
      put: [{ id: "s", version: 1, rules: [say("x")] }],
    });
    const event = updated(place, { changes: [{ field: "state", to: "s" }] });
    const once = async () => [await reactAs("ev-1", event), await factsOf(place.projectId)];
    const first = await once();
    expect(first[0]).toHaveLength(1);
    expect(await once()).toEqual(first);
    const [other] = (await reactAs("ev-2", event)) as { id: string }[];
    expect(other?.id).not.toBe((first[0] as { id: string }[])[0]?.id);
  });

  test("a late event is judged by what it tells itself", async () => {
    const place = newOnes();
    const rule = say(
      "done",
      { field: "state", op: "equals", value: "done" },
      { trigger: { on: "item.updated", fields: ["state"] } },
    );
    await put({ workspaceId: place.workspaceId, put: [{ id: "s", version: 1, rules: [rule] }] });
    const change = (epoch: number, from: string, to: string) => ({
      ...updated(place, { changes: [{ field: "state", from, to }] }),
      epoch,
    });
    expect(await react(change(EPOCH_S + 60, "done", "todo"))).toEqual([]);
    expect(await react(change(EPOCH_S, "doing", "done"))).toHaveLength(1);
    // The later one is still what is known.
    expect((await factsOf(place.projectId))[0].facts.fields.state).toEqual([
      "todo",
      (EPOCH_S + 60) * 1_000,
    ]);
  });

  test("facts come in any order, in batches or alone, and end alike", async () => {
    const change = (second: number, ...changes: object[]) => ({
      kind: "react" as const,
      input: { epoch: EPOCH_S + second, items: [{ id: "i", type: "item.updated", changes }] },
    });
    const told = [
      change(1, { field: "state", from: "a", to: "b" }, { field: "labels", to: "x" }),
      change(2, { field: "labels", from: "x" }, { field: "assignees", to: "ada" }),
      change(3, { field: "labels", to: "y" }, { field: "state", from: "b", to: "c" }),
      change(3, { field: "state", from: "b", to: "d" }),
      {
        kind: "items" as const,
        input: {
          put: [{ id: "i", at: isoAt(2), fields: { labels: ["z", "x"], priority: "high" } }],
        },
      },
      {
        kind: "items" as const,
        input: {
          put: [{ id: "i", at: isoAt(0), fields: { labels: ["old"], name: "Old", points: 3 } }],
        },
      },
      {
        kind: "react" as const,
        input: { epoch: EPOCH_S + 0.5, items: [{ id: "i", type: "item.deleted", deleted: true }] },
      },
      { kind: "items" as const, input: { remove: [{ id: "gone", at: isoAt(5) }] } },
      {
        kind: "items" as const,
        input: { put: [{ id: "gone", at: isoAt(4), fields: { name: "late" } }] },
      },
    ];
    const ends = new Set<string>();
    for (const order of fc.sample(fc.shuffledSubarray(told, { minLength: told.length }), {
      numRuns: 12,
      seed: 5,
    })) {
      const place = newOnes();
      const one = ({ kind, input }: (typeof told)[number]) => run(kind, [{ ...place, ...input }]);
      for (const fact of order) await one(fact);
      await one(order[0] as (typeof told)[number]);
      ends.add(
        JSON.stringify(await factsOf(place.projectId), (_, value) =>
          typeof value === "object" && value !== null && !Array.isArray(value)
            ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
            : value,
        ).replaceAll(place.workspaceId, "w"),
      );
    }
    expect(ends.size).toBe(1);
    const at = (second: number) => (EPOCH_S + second) * 1_000;
    expect(JSON.parse([...ends][0] as string)).toEqual([
      expect.objectContaining({
        item_id: "gone",
        deleted_at_ms: String(at(5)),
        facts: { fields: {}, members: {} },
      }),
      expect.objectContaining({
        item_id: "i",
        deleted_at_ms: String(at(0.5)),
        facts: {
          fields: { state: ["d", at(3)], labels: [["z", "x"], at(2)], priority: ["high", at(2)] },
          members: { labels: { y: [true, at(3)] }, assignees: { ada: [true, at(2)] } },
        },
      }),
    ]);
  });

  test("what is known of an item counts beside what the event tells", async () => {
    const place = newOnes();
    const rule = say("urgent bug", {
      all: [
        { field: "priority", op: "equals", value: "urgent" },
        { field: "labels", op: "contains_all", value: ["bug", "new"] },
        { field: "project", op: "equals", value: place.projectId },
      ],
    });
    await put({ workspaceId: place.workspaceId, put: [{ id: "s", version: 1, rules: [rule] }] });
    const tag = updated(place, { changes: [{ field: "labels", to: "new" }] });
    expect(await react(tag)).toEqual([]);
    const fields = { priority: "urgent", label_ids: ["bug"] };
    await run("items", [{ ...place, put: [{ id: "i", at: isoAt(-9), fields }, { id: "j" }] }]);
    expect(await react(tag)).toHaveLength(1);
    await run("items", [{ ...place, remove: [{ id: "i", at: isoAt(-1) }] }]);
    expect(await react(tag)).toEqual([]);
  });

  test("workers that take the same items at once wait for each other and lose nothing", async () => {
    const place = newOnes();
    const ids = Array.from({ length: 40 }, (_, n) => `item-${n}`);
    const jobs = Array.from({ length: 12 }, (_, n) => ({
      ...place,
      epoch: EPOCH_S + n,
      items: (n % 2 ? ids : [...ids].reverse()).map((id) => ({
        id,
        type: "item.updated",
        changes: [{ field: "labels", to: `label-${n}` }],
      })),
    }));
    await Promise.all(jobs.map((job) => run("react", [job])));
    const rows = await factsOf(place.projectId);
    expect(rows).toHaveLength(40);
    for (const { facts } of rows) expect(Object.keys(facts.members.labels)).toHaveLength(12);
  });

  test("an item deleted 90 days ago is forgotten, and no other", async () => {
    const { projectId, workspaceId } = newOnes();
    const remove = [
      { id: "long", at: "1999-01-01T00:00:00Z" },
      { id: "lately", at: "1999-03-01T00:00:00Z" },
    ];
    await run("items", [
      {
        workspaceId,
        projectId,
        remove,
        put: [{ id: "here", at: "1999-01-01T00:00:00Z", fields: {} }],
      },
    ]);
    const client = await pool.connect();
    try {
      await client.query("begin");
      expect(await purge(client, Date.parse("1999-04-10T00:00:00Z"))).toBeUndefined();
      await client.query("commit");
    } finally {
      client.release();
    }
    expect((await factsOf(projectId)).map(({ item_id }) => item_id)).toEqual(["here", "lately"]);
  });

  test("an event past the ceilings fires what fits, and says what is left", async () => {
    const place = newOnes();
    const rules = [0, 1, 2].map((n) =>
      say(`r${n}`, undefined, {
        actions: [{ type: "archive", items: Array.from({ length: 2_000 }, (_, i) => `i${i}`) }],
      }),
    );
    await put({ workspaceId: place.workspaceId, put: [{ id: "s", version: 1, rules }] });
    const { outputs, jobs } = await run("react", [updated(place)]);
    expect(jobs[0]?.emitted).toHaveLength(2);
    expect(outputs[0]).toMatchObject({ fired: 2, left: 1, tried: 3 });
  });
});
