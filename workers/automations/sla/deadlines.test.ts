/** Deadlines from events, on real services: told once each, whatever comes twice, late or in another order. */
import { fileURLToPath } from "node:url";
import { action, type BackgroundContext, defineWorker, type HeldJob } from "@tl-engine/shared";
import { openTestFleet, type TestFleet } from "@tl-engine/shared/testing/fleet";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import automations from "../index.ts";
import { purgeSla } from "./purge.ts";
import { type PoliciesInput, SlaPolicy, TrackedItem } from "./schemas.ts";
import { settleItems } from "./settle-items.ts";
import { keepItems, keepPolicies, markTold, readPolicies, type ToldItem } from "./store.ts";

const MINUTE_S = 60;
const kept: HeldJob[] = [];
let context: BackgroundContext | undefined;

/** Keeps what is for later, for the test to bring back. */
const keeper = defineWorker({
  name: "scheduler",
  concurrency: 8,
  timeoutMs: 5_000,
  actions: {
    keep: action({
      version: 1,
      input: z.custom<HeldJob>((held) => typeof held === "object"),
      output: z.object({}),
      handle(held) {
        kept.push(held);
        return {};
      },
    }),
  },
  later: { action: "keep", map: (held) => held },
  async background(given) {
    context = given;
    return async () => {};
  },
});

interface Seen {
  type: string;
  id: string;
  body: Record<string, unknown>;
}
const events: Seen[] = [];

let fleet: TestFleet;
let workspaceId: string;
beforeAll(async () => {
  fleet = await openTestFleet(
    [automations, keeper],
    [fileURLToPath(new URL("..", import.meta.url))],
  );
  workspaceId = fleet.names.prefix;
  const { queue } = await fleet.channel.assertQueue("", { exclusive: true });
  await fleet.channel.bindQueue(queue, fleet.names.events, "sla.*");
  await fleet.channel.consume(queue, (message) => {
    if (message === null) return;
    const { type, messageId } = message.properties;
    events.push({ type, id: messageId, body: JSON.parse(message.content.toString()) });
    fleet.channel.ack(message);
  });
  await fleet.start(keeper);
  await fleet.start(automations);
});
afterAll(() => fleet?.close());

const iso = (ms: number) => new Date(ms).toISOString();

async function putPolicy(projectId: string, policy: object): Promise<void> {
  const id = await fleet.publish("automations", "policies", {
    ...{ workspaceId, projectId },
    put: [{ id: "answer", policy, updatedAt: iso(Date.now()) }],
  });
  expect((await fleet.reply(id)).reply).toEqual({
    ...{ status: "succeeded", output: { kept: 1, warnings: [] } },
  });
}

/** As `activities` announces them. */
function announce(projectId: string, issueId: string, atMs: number, more: object): string {
  const id = fleet.newId();
  const body = {
    ...{ workspaceId, projectId, issueId, actorId: "ana", epoch: atMs / 1_000 },
    ...{ type: "issue.activity.updated", activities: [], states: {}, ...more },
  };
  fleet.channel.publish(
    fleet.names.events,
    "activity.recorded",
    Buffer.from(JSON.stringify(body)),
    {
      ...{ messageId: id, type: "activity.recorded", contentType: "application/json" },
      userId: decodeURIComponent(new URL(fleet.config.AMQP_URL).username),
    },
  );
  return id;
}

const created = (stateId: string, atMs: number) => ({
  type: "issue.activity.created",
  activities: [{ id: "c", verb: "created", field: null, epoch: atMs / 1_000 }],
  item: { createdAtEpoch: atMs / 1_000, stateId },
});
const moved = (to: string) => ({
  activities: [{ id: `m-${to}`, verb: "updated", field: "state", newIdentifier: to }],
});

const about = (itemId: string) => events.filter(({ body }) => body.itemId === itemId);

test("an item is warned of, then over, each told once, though events and timers come twice", async () => {
  const projectId = `${workspaceId}-timers`;
  const itemId = `${projectId}-1`;
  await putPolicy(projectId, { targetSeconds: 3_600, warnBeforeSeconds: [1_800] });
  // It has a second and a half left.
  const createdMs = Date.now() - 3_600_000 + 1_500;
  announce(projectId, itemId, createdMs, created("todo", createdMs));
  announce(projectId, itemId, createdMs, created("todo", createdMs));
  const check = await fleet.until("its timer", () =>
    kept.find(({ body }) => body.includes(itemId)),
  );
  expect(check).toMatchObject({ engine: "automations", type: "automations.check.v1" });
  expect(check.runAtMs).toBe(createdMs + 3_600_000);
  await fleet.until("the warning", () => about(itemId)[0]);
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, check.runAtMs - Date.now())));
  await context?.publish(check);
  await context?.publish(check);
  const over = await fleet.until("the end", () =>
    about(itemId).find(({ type }) => type === "sla.breached"),
  );
  expect(over.body).toMatchObject({ policyId: "answer", breachedAt: iso(createdMs + 3_600_000) });
  announce(projectId, itemId, Date.now(), moved("doing"));
  const marker = announce(projectId, `${projectId}-2`, Date.now(), moved("doing"));
  await fleet.until("the last", async () => (await fleet.rows(marker))[0]);
  const ids = new Set(about(itemId).map(({ id }) => id));
  expect(
    about(itemId)
      .map(({ type }) => type)
      .toSorted(),
  ).toEqual(["sla.breached", "sla.due"]);
  expect(ids.size).toBe(2);
});

test("what waits or is done has no timer, and an old one finds nothing", async () => {
  const projectId = `${workspaceId}-waits`;
  const itemId = `${projectId}-1`;
  await putPolicy(projectId, { targetSeconds: 60, pauseStates: ["waiting"], stopStates: ["done"] });
  const createdMs = Date.now() - 30_000;
  announce(projectId, itemId, createdMs, created("todo", createdMs));
  const check = await fleet.until("its timer", () =>
    kept.find(({ body }) => body.includes(itemId)),
  );
  announce(projectId, itemId, Date.now(), moved("waiting"));
  await fleet.until("the pause", async () => {
    const { rows } = await fleet.pool.query(
      "select from engine_automations.sla_changes where item_id = $1 and state = 'waiting'",
      [itemId],
    );
    return rows[0];
  });
  const id = await fleet.publish("automations", "check", { ...JSON.parse(check.body) });
  expect((await fleet.reply(id)).reply).toEqual({
    ...{ status: "succeeded", output: { told: 0, nextCheckAt: null } },
  });
  expect(about(itemId)).toEqual([]);
});

test("a policy that changes reaches the items that are known, some at a time", async () => {
  const projectId = `${workspaceId}-changed`;
  await putPolicy(projectId, { targetSeconds: 86_400 });
  const createdAt = iso(Date.now() - 60_000);
  const items = Array.from({ length: 250 }, (_, n) => ({ id: `${projectId}-${n}`, createdAt }));
  const tracked = await fleet.publish("automations", "track", { workspaceId, projectId, items });
  expect((await fleet.reply(tracked)).reply).toMatchObject({ output: { timers: 250 } });
  const looks = () =>
    kept.filter(({ type, body }) => type.includes("recheck") && body.includes(projectId));
  await fleet.until("the first policy's look", () => looks()[0]);
  kept.length = 0;
  await putPolicy(projectId, { targetSeconds: 7_200 });
  const due = Date.parse(createdAt) + 7_200_000;
  const timers = () =>
    kept.filter(({ runAtMs, type }) => runAtMs === due && type.includes("check.v1"));
  const first = await fleet.until("the look", () => looks()[0]);
  await context?.publish(first);
  const second = await fleet.until("the rest", () => looks()[1]);
  await context?.publish(second);
  await fleet.until("all timers", () => (timers().length >= 250 ? true : undefined));
  expect(new Set(timers().map(({ id }) => id)).size).toBe(250);
});

test("rules hear of a deadline", async () => {
  const projectId = `${workspaceId}-rules`;
  await putPolicy(projectId, { targetSeconds: 60 });
  const rules = [
    {
      id: "late",
      trigger: { on: "sla.breached" },
      actions: [{ type: "comment", text: "Tarde" }],
    },
  ];
  const put = await fleet.publish("automations", "rules", {
    ...{ workspaceId, put: [{ id: "set", version: 1, projectId, rules }] },
  });
  expect((await fleet.reply(put)).reply).toMatchObject({ output: { stored: 1, warnings: [] } });
  const { queue } = await fleet.channel.assertQueue("", { exclusive: true });
  await fleet.channel.bindQueue(queue, fleet.names.events, "automation.fired");
  const createdMs = Date.now() - 120_000;
  announce(projectId, `${projectId}-1`, createdMs, created("todo", createdMs));
  const fired = await fleet.until("the rule", async () => {
    const message = await fleet.channel.get(queue, { noAck: true });
    return message === false ? undefined : JSON.parse(message.content.toString());
  });
  expect(fired).toMatchObject({ ruleId: "late", event: { type: "sla.breached" } });
});

test("of a project without policies nothing is kept", async () => {
  const itemId = `${workspaceId}-none-1`;
  const id = announce(`${workspaceId}-none`, itemId, Date.now(), created("todo", Date.now()));
  await fleet.until("its row", async () => (await fleet.rows(id))[0]);
  const { rows } = await fleet.pool.query(
    "select from engine_automations.sla_items where item_id = $1",
    [itemId],
  );
  expect(rows).toEqual([]);
});

const told = fc.record({
  itemId: fc.constantFrom("a", "b"),
  createdMs: fc.integer({ min: 1_000, max: 1_003 }),
  priority: fc.option(
    fc.record({
      value: fc.constantFrom("urgent" as const, "low" as const),
      atMs: fc.integer({ min: 0, max: 3 }),
    }),
    { nil: undefined },
  ),
  deletedMs: fc.constantFrom(undefined, undefined, undefined, 5),
  changes: fc.array(
    fc.record({ atMs: fc.integer({ min: 1_000, max: 1_005 }), state: fc.constantFrom("x", "y") }),
    { maxLength: 3 },
  ),
});
const put = fc.record({
  updatedAt: fc.constantFrom(iso(1_000), iso(2_000)),
  policy: fc.option(
    fc
      .record({ targetSeconds: fc.integer({ min: 1, max: 3 }) })
      .map((sent) => SlaPolicy.parse(sent)),
  ),
});

test("in whatever order facts come, and however often, the same is known in the end", async () => {
  const projectId = `${workspaceId}-order`;
  const known = async (facts: readonly (ToldItem | z.output<typeof PoliciesInput>)[]) => {
    const client = await fleet.pool.connect();
    try {
      await client.query("begin");
      for (const fact of facts)
        if ("itemId" in fact) await keepItems(client, [fact]);
        else await keepPolicies(client, [fact]);
      const job = { emit() {}, later() {} } as never;
      const looks = ["a", "b"].map((itemId) => ({ job, projectId, itemId, nowMs: 9_000 }));
      const settled = await settleItems(client, looks);
      const tables: unknown[] = [];
      for (const table of ["items", "changes", "policies", "told"]) {
        const { rows } = await client.query(
          `select to_jsonb(t) - 'told_at' as row from engine_automations.sla_${table} t where project_id = $1 order by 1`,
          [projectId],
        );
        tables.push(rows);
      }
      return { settled, tables };
    } finally {
      await client.query("rollback");
      client.release();
    }
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(told, { minLength: 1, maxLength: 6 }),
      fc.array(put, { minLength: 1, maxLength: 3 }),
      fc.infiniteStream(fc.nat()),
      async (items, puts, random) => {
        const facts = [
          ...items.map((item): ToldItem => ({ workspaceId, projectId, ...item })),
          ...puts.map(({ policy, updatedAt }) => ({
            ...{ workspaceId, projectId },
            put: policy === null ? [] : [{ id: "p", policy, updatedAt }],
            remove: policy === null ? [{ id: "p", updatedAt }] : [],
          })),
        ];
        const twice = [...facts, ...facts]
          .map((fact) => ({ fact, key: random.next().value as number }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ fact }) => fact);
        expect(await known(twice)).toEqual(await known(facts));
      },
    ),
    { numRuns: 60 },
  );
});

test("of jobs in one batch the latest policy counts, and is told of once", async () => {
  const projectId = `${workspaceId}-batch`;
  const put = (id: string, updatedAt: string, targetSeconds: number) => ({
    ...{ workspaceId, projectId, remove: [] },
    put: [{ id, updatedAt, policy: SlaPolicy.parse({ targetSeconds }) }],
  });
  const client = await fleet.pool.connect();
  try {
    await client.query("begin");
    const jobs = [put("b", iso(2_000), 1), put("a", iso(1_000), 2), put("b", iso(1_000), 3)];
    expect(await keepPolicies(client, jobs)).toEqual([1, 1, 0]);
    expect(await keepPolicies(client, jobs)).toEqual([0, 0, 0]);
    expect(await keepPolicies(client, [{ ...jobs[0], put: [] } as (typeof jobs)[0]])).toEqual([0]);
    const policies = await readPolicies(client, [projectId]);
    expect(policies.get(projectId)?.map(({ compiled }) => compiled.policy.targetSeconds)).toEqual([
      2, 1,
    ]);
  } finally {
    await client.query("rollback");
    client.release();
  }
});

test("of an item deleted 90 days ago nothing is left, of others all", async () => {
  const projectId = `${workspaceId}-purge`;
  const [longAgo, lately, now] = ["1999-01-01", "1999-03-01", "1999-04-10"].map(Date.parse) as [
    number,
    number,
    number,
  ];
  const told = (itemId: string, deletedMs: number | undefined): ToldItem => ({
    ...{ workspaceId, projectId, itemId, createdMs: 1_000, deletedMs },
    changes: [{ atMs: 1_000, state: "todo" }],
  });
  const client = await fleet.pool.connect();
  try {
    await client.query("begin");
    await keepItems(client, [told("gone", longAgo), told("late", lately), told("here", undefined)]);
    const what = { workspaceId, projectId, policyId: "p", what: "breached" };
    await markTold(
      client,
      ["gone", "late", "here"].map((itemId) => ({ ...what, itemId })),
    );
    expect(await purgeSla(client, now)).toBeUndefined();
    for (const table of ["items", "changes", "told"]) {
      const { rows } = await client.query(
        `select item_id from engine_automations.sla_${table} where project_id = $1 order by 1`,
        [projectId],
      );
      expect(rows.map(({ item_id }) => item_id)).toEqual(["here", "late"]);
    }
  } finally {
    await client.query("rollback");
    client.release();
  }
});

test.each([
  ["without working time", { periods: [] }, "must name at least one"],
  ["in no zone", { timeZone: "Mars/X", periods: [{ days: ["monday"] }] }, "must be a time zone"],
  [
    "that ends before it begins",
    { periods: [{ days: ["monday"], from: "17:00", to: "09:00" }] },
    "must be later",
  ],
  ["by a name that is none", "whenever", "must be always or business_days, or a calendar"],
])("a calendar %s is refused with what is wrong with it", (_what, calendar, message) => {
  const [issue] = SlaPolicy.safeParse({ calendar }).error?.issues ?? [];
  expect(issue).toMatchObject({ message: expect.stringContaining(message) });
});

test.each([
  ["a target of nothing", { targetSeconds: 0 }],
  ["a target of half a second", { targetSeconds: 0.5 }],
  ["a target of eleven years", { targetSeconds: 11 * 366 * 86_400 }],
  ["a target that is a text", { targetSeconds: "1 day" }],
  ["a calendar without working time", { calendar: { periods: [] } }],
  [
    "a period that ends before it begins",
    { calendar: { periods: [{ days: ["monday"], from: "17:00", to: "09:00" }] } },
  ],
  [
    "a period of no length",
    { calendar: { periods: [{ days: ["monday"], from: "09:00", to: "09:00" }] } },
  ],
  ["a period without days", { calendar: { periods: [{ days: [] }] } }],
  ["a day that is none", { calendar: { periods: [{ days: ["lunes"] }] } }],
  ["a time that is none", { calendar: { periods: [{ days: ["monday"], from: "9am" }] } }],
  ["a time past the day", { calendar: { periods: [{ days: ["monday"], to: "24:01" }] } }],
  [
    "a zone that is none",
    { calendar: { timeZone: "Mars/Olympus", periods: [{ days: ["monday"] }] } },
  ],
  [
    "a zone with SQL in it",
    { calendar: { timeZone: "UTC'; drop", periods: [{ days: ["monday"] }] } },
  ],
  [
    "a holiday that is none",
    { calendar: { periods: [{ days: ["monday"] }], holidays: ["2026-02-30"] } },
  ],
  [
    "2,001 holidays",
    { calendar: { periods: [{ days: ["monday"] }], holidays: Array(2_001).fill("2026-01-01") } },
  ],
  ["a calendar that is none", { calendar: "whenever" }],
  ["eleven warnings", { warnBeforeSeconds: Array(11).fill(60) }],
  ["a state that is empty", { stopStates: [""] }],
  ["501 states", { stopStates: Array(501).fill("x") }],
  ["a target of a priority that is less than nothing", { targets: { urgent: -1 } }],
])("%s is refused", (_what, policy) => {
  expect(SlaPolicy.safeParse(policy).success).toBe(false);
});

test.each([
  ["no time of creation", {}],
  ["a creation in the year 275761", { createdAt: "+275761-01-01T00:00:00Z" }],
  ["a creation without an offset", { createdAt: "2026-01-01T00:00:00" }],
  ["a creation as epoch", { createdAt: 1_770_000_000 }],
  ["a priority that is none", { createdAt: iso(0), priority: "ASAP" }],
  ["a history that is none", { createdAt: iso(0), history: {} }],
  ["a change at no time", { createdAt: iso(0), history: [{ state: "x" }] }],
  ["a change into nothing", { createdAt: iso(0), history: [{ at: iso(0), state: "" }] }],
  ["2,001 changes", { createdAt: iso(0), history: Array(2_001).fill({ at: iso(0), state: "x" }) }],
  ["a NUL in its id", { id: "a\0", createdAt: iso(0) }],
])(
  "an item with %s is left out with a warning, and its neighbour answered",
  async (_what, item) => {
    expect(TrackedItem.safeParse({ id: "bad", ...item }).success).toBe(false);
    const id = await fleet.publish("automations", "sla", {
      policy: { targetSeconds: MINUTE_S },
      items: [
        { id: "bad", ...item },
        { id: "good", createdAt: iso(0) },
      ],
    });
    const { reply } = await fleet.reply(id);
    expect(reply).toMatchObject({
      output: { items: [{ id: "good", breached: true }], warningsTotal: 1 },
    });
  },
);
