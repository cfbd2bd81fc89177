/** Compiled rules against a naive interpreter of the rules as they are written, on random rules, items and events. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { NOW, tryRules } from "../try-rule.fixture.ts";

type Sent = Record<string, unknown>;
const words = fc.constantFrom("a", "b", "c");
const WORD_OPS = [
  "equals",
  "not_equals",
  "contains",
  "not_contains",
  "starts_with",
  "ends_with",
  "matches",
];
const LIST_OPS = ["contains_any", "contains_all", "contains_none"];
const NUMBER_OPS = ["greater", "at_least", "less", "at_most"];
const some = fc.uniqueArray(words, { minLength: 1, maxLength: 3 });

const days = fc.integer({ min: -3, max: 3 });
const dayOf = (n: number) => new Date(Date.parse(NOW) + n * 86_400_000).toISOString().slice(0, 10);
const comparison: fc.Arbitrary<Sent> = fc.oneof(
  fc.record({
    field: fc.constantFrom("name", "state"),
    op: fc.constantFrom(...WORD_OPS),
    value: words,
  }),
  fc.record({
    field: fc.constantFrom("name", "state"),
    op: fc.constantFrom("in", "not_in"),
    value: some,
  }),
  fc.record({ field: fc.constant("labels"), op: fc.constantFrom(...LIST_OPS), value: some }),
  fc.record({
    field: fc.constant("labels"),
    op: fc.constantFrom("contains", "not_contains"),
    value: words,
  }),
  fc.record({
    field: fc.constant("points"),
    op: fc.constantFrom(...NUMBER_OPS),
    value: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({
    field: fc.constant("dueDate"),
    op: fc.constantFrom("before", "after"),
    value: fc.oneof(days.map(dayOf), fc.record({ days })),
  }),
  fc.record({
    field: fc.constantFrom("name", "labels", "points", "dueDate"),
    op: fc.constantFrom("empty", "not_empty", "changed"),
  }),
  fc.record({
    field: fc.constantFrom("state", "labels"),
    op: fc.constantFrom("changed_from", "changed_to"),
    value: words,
  }),
  fc.record({
    field: fc.constant("actor"),
    op: fc.constantFrom("equals", "not_equals"),
    value: words,
  }),
);
const { condition } = fc.letrec<{ condition: Sent }>((tie) => ({
  condition: fc.oneof(
    { depthSize: "small", maxDepth: 4 },
    comparison,
    fc.array(tie("condition"), { minLength: 1, maxLength: 4 }).map((all) => ({ all })),
    fc.array(tie("condition"), { minLength: 1, maxLength: 4 }).map((any) => ({ any })),
    tie("condition").map((not) => ({ not })),
  ),
}));

const types = fc.constantFrom("item.created", "item.updated", "comment.created");
const trigger = fc.oneof(
  fc.record({ on: fc.oneof(types, fc.uniqueArray(types, { minLength: 1 })) }),
  fc.record({
    on: types,
    fields: fc.uniqueArray(fc.constantFrom("state", "labels", "name"), { maxLength: 3 }),
  }),
  fc.record({
    on: types,
    fields: fc.constantFrom(["state"], ["labels"]),
    from: fc.option(fc.oneof(words, some), { nil: undefined }),
    to: fc.option(fc.oneof(words, some, fc.constant(null)), { nil: undefined }),
  }),
);
const action = fc.oneof(
  fc.record({
    type: fc.constant("set"),
    field: fc.constant("state"),
    value: fc.oneof(words, fc.constant(null)),
  }),
  fc.record({ type: fc.constantFrom("add", "remove"), field: fc.constant("labels"), values: some }),
  fc.constant({ type: "comment", text: "hello" }),
);
const rule = fc.record(
  {
    trigger,
    enabled: fc.constantFrom(true, true, true, false, undefined),
    scope: fc.option(fc.record({ projects: fc.uniqueArray(words, { maxLength: 2 }) }), {
      nil: undefined,
    }),
    conditions: fc.option(condition, { nil: undefined }),
    actions: fc.array(action, { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: ["trigger", "actions"] },
);
const rules = fc
  .array(rule, { minLength: 1, maxLength: 8 })
  .map((list) => list.map((one, n) => ({ ...one, id: `rule-${n}` })));
const item = fc.record(
  {
    project: words,
    name: fc.constantFrom("a", "ab", "B", "", "cab"),
    state: fc.oneof(words, fc.constant(null)),
    labels: fc.uniqueArray(words),
    points: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant("XL"), fc.constant("2")),
    dueDate: fc.oneof(days.map(dayOf), fc.constant("soon"), fc.constant(null)),
  },
  { requiredKeys: [] },
);
const change = fc.oneof(
  fc.record({
    field: fc.constantFrom("state", "name"),
    from: fc.option(words),
    to: fc.option(words),
  }),
  fc.record({
    field: fc.constant("labels"),
    from: fc.uniqueArray(words),
    to: fc.uniqueArray(words),
  }),
);
const event = fc.record({
  type: types,
  actor: words,
  depth: fc.constantFrom(0, 1, 9, 10),
  changes: fc.uniqueArray(change, { selector: ({ field }) => field, maxLength: 3 }),
});

// ---- The naive interpreter: as the documentation says it, value by value, nothing compiled.
const isNone = (value: unknown) =>
  value === undefined ||
  value === null ||
  value === "" ||
  (Array.isArray(value) && value.length === 0);
const list = (value: unknown): unknown[] =>
  isNone(value) ? [] : Array.isArray(value) ? value : [value];
const lower = (value: unknown) => String(value).toLowerCase();

interface World {
  item: Sent;
  event: {
    type: string;
    actor: string;
    depth: number;
    changes: { field: string; from: unknown; to: unknown }[];
  };
}

function pairs({ event: { changes } }: World, field: string): [unknown, unknown][] {
  return changes
    .filter((one) => one.field === field)
    .flatMap(({ from, to }): [unknown, unknown][] => {
      if (field !== "labels") return from === to ? [] : [[from, to]];
      const went = list(from).filter((id) => !list(to).includes(id));
      const came = list(to).filter((id) => !list(from).includes(id));
      return [
        ...went.map((id): [unknown, unknown] => [id, null]),
        ...came.map((id): [unknown, unknown] => [null, id]),
      ];
    });
}

function interpret(sent: Sent, world: World): boolean {
  if (sent.all) return (sent.all as Sent[]).every((one) => interpret(one, world));
  if (sent.any) return (sent.any as Sent[]).some((one) => interpret(one, world));
  if (sent.not) return !interpret(sent.not as Sent, world);
  const field = sent.field as string;
  const { op, value } = sent as { op: string; value: never };
  let actual: unknown = field === "actor" ? world.event.actor : world.item[field];
  if (field === "points" && actual === "2") actual = 2;
  const when = (date: unknown) =>
    typeof date === "object" && date !== null
      ? Date.parse(NOW) + (date as { days: number }).days * 86_400_000
      : typeof date === "string" && /^\d{4}-\d\d-\d\d/.test(date)
        ? Date.parse(date)
        : Number.NaN;
  switch (op) {
    case "equals":
      return actual === value;
    case "not_equals":
      return actual !== value;
    case "in":
      return (value as unknown[]).includes(actual);
    case "not_in":
      return !(value as unknown[]).includes(actual);
    case "contains":
      return field === "labels"
        ? list(actual).includes(value)
        : !isNone(actual) && lower(actual).includes(value);
    case "not_contains":
      return !interpret({ ...sent, op: "contains" }, world);
    case "contains_any":
      return (value as unknown[]).some((id) => list(actual).includes(id));
    case "contains_all":
      return (value as unknown[]).every((id) => list(actual).includes(id));
    case "contains_none":
      return !(value as unknown[]).some((id) => list(actual).includes(id));
    case "starts_with":
      return !isNone(actual) && lower(actual).startsWith(value);
    case "ends_with":
      return !isNone(actual) && lower(actual).endsWith(value);
    case "matches":
      return !isNone(actual) && new RegExp(value).test(actual as string);
    case "greater":
      return typeof actual === "number" && actual > value;
    case "at_least":
      return typeof actual === "number" && actual >= value;
    case "less":
      return typeof actual === "number" && actual < value;
    case "at_most":
      return typeof actual === "number" && actual <= value;
    case "before":
      return when(actual) < when(value);
    case "after":
      return when(actual) > when(value);
    case "empty":
      return isNone(actual);
    case "not_empty":
      return !isNone(actual);
    case "changed":
      return pairs(world, field).length > 0;
    case "changed_from":
      return pairs(world, field).some(([from]) => from === value);
    case "changed_to":
      return pairs(world, field).some(([, to]) => to === value);
    default:
      throw new Error(op);
  }
}

interface RuleSent {
  id: string;
  enabled?: boolean | undefined;
  trigger: { on: string | string[]; fields?: string[]; from?: unknown; to?: unknown };
  scope?: { projects: string[] } | undefined;
  conditions?: Sent | undefined;
  actions: Sent[];
}

function isIdle({ type, field, value, values }: Sent, { item: { state, labels } }: World): boolean {
  if (type === "comment") return false;
  if (field === "state") return state !== undefined && (state ?? null) === value;
  const now = labels as string[] | undefined;
  if (now === undefined) return false;
  const ids = values as string[];
  return type === "add" ? ids.every((id) => now.includes(id)) : !ids.some((id) => now.includes(id));
}

function naive(one: RuleSent, world: World): string {
  const {
    trigger: { on, fields = [], from, to },
  } = one;
  if (one.enabled === false) return "disabled";
  if (world.event.depth >= 10) return "depth";
  if (!list(on).includes(world.event.type)) return "trigger";
  const changed = fields.filter((field) => pairs(world, field).length > 0);
  if (fields.length > 0 && changed.length === 0) return "field";
  const oneOf = (value: unknown, sent: unknown) =>
    sent === undefined || (Array.isArray(sent) ? sent : [sent]).includes(value);
  const [field] = fields;
  if (field !== undefined && (from !== undefined || to !== undefined))
    if (!pairs(world, field).some(([before, after]) => oneOf(before, from) && oneOf(after, to)))
      return "field";
  const { projects = [] } = one.scope ?? {};
  if (projects.length > 0 && !projects.includes(world.item.project as string)) return "scope";
  if (one.conditions && !interpret(one.conditions, world)) return "conditions";
  const actions = one.actions.filter((sent) => !isIdle(sent, world));
  return actions.length === 0 ? "changes_nothing" : `does ${JSON.stringify(actions)}`;
}

test("compiled rules say what a naive interpreter says", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(rules, item, event, (sent, theItem, theEvent) => {
      const world = { item: theItem as Sent, event: theEvent as World["event"] };
      const { matched, skipped, warnings } = tryRules(sent, { item: theItem, event: theEvent });
      expect(warnings).toEqual([]);
      const said = new Map([
        ...matched.map(
          ({ ruleId, actions }) => [ruleId, `does ${JSON.stringify(actions)}`] as const,
        ),
        ...skipped.map(({ ruleId, reason }) => [ruleId, reason as string] as const),
      ]);
      for (const one of sent as RuleSent[]) {
        const expected = naive(one, world);
        expect(said.get(one.id)).toBe(expected);
        const kind = expected.startsWith("does") ? "matched" : expected;
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
      }
    }),
    { numRuns: 2_000 },
  );
  // A property that never met a case says nothing about it.
  for (const kind of [
    "matched",
    "disabled",
    "depth",
    "trigger",
    "field",
    "scope",
    "conditions",
    "changes_nothing",
  ])
    expect(seen.get(kind), kind).toBeGreaterThan(20);
});

test("a dry run decides alike, and every failed condition that it names is one", () => {
  fc.assert(
    fc.property(rules, item, event, (sent, theItem, theEvent) => {
      const plain = tryRules(sent, { item: theItem, event: theEvent });
      const dry = tryRules(sent, { item: theItem, event: theEvent, explain: true });
      expect(dry.matched).toEqual(plain.matched);
      expect(dry.skipped.map(({ ruleId, reason }) => ({ ruleId, reason }))).toEqual(plain.skipped);
      const world = { item: theItem as Sent, event: theEvent as World["event"] };
      for (const { ruleId, reason, failed, message } of dry.skipped) {
        expect(message).toBeTruthy();
        if (reason !== "conditions") continue;
        expect(failed?.length).toBeGreaterThan(0);
        const own = (sent as RuleSent[]).find(({ id }) => id === ruleId);
        for (const { path, isNegated } of failed ?? [])
          expect(interpret(conditionAt(own as never, path), world)).toBe(isNegated);
      }
    }),
    { numRuns: 500 },
  );
});

function conditionAt(of: Sent, path: string): Sent {
  return path
    .split(/[.[\]]+/)
    .filter((key) => key !== "")
    .reduce<unknown>((part, key) => (part as Sent)[key], of) as Sent;
}
