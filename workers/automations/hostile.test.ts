/** Bad input of all sorts: what can't be used is said, costs its neighbours nothing, and holds up nobody. */
import { describe, expect, test } from "vitest";
import { reactInputOf } from "./activity-event.ts";
import { EvaluateInput, ReactInput } from "./schemas.ts";
import { holds, NOW, ruleOf, tryRules } from "./try-rule.fixture.ts";

const GOOD = ruleOf(undefined, { id: "good" });
const COMPARISON = { field: "priority", op: "equals", value: "urgent" };
const nested = (depth: number, inner: unknown = COMPARISON): unknown => {
  let condition = inner;
  for (let i = 0; i < depth; i++) condition = { not: condition };
  return condition;
};
const action = (more: object) => ruleOf(undefined, { actions: [more] });
const many = <Element>(count: number, of: (n: number) => Element) =>
  Array.from({ length: count }, (_, n) => of(n));

describe("a rule that is left out, while its neighbour works", () => {
  test.each<[string, unknown, RegExp]>([
    [
      "5,000 conditions",
      ruleOf({ any: many(5_000, () => COMPARISON) }),
      /condition 1001 of the rule, which may have 1000/,
    ],
    ["conditions nested 11 deep", ruleOf(nested(11)), /deeper than 10 groups/],
    ["conditions nested 100,000 deep", ruleOf(nested(100_000)), /deeper than 10 groups/],
    [
      "a value nested 100,000 deep",
      ruleOf({ ...COMPARISON, value: nested(100_000) }),
      /is \{not\}, and must be a text/,
    ],
    ["a lookahead", ruleOf({ field: "name", op: "matches", value: "(?=a)b" }), /as RE2 takes it/],
    [
      "a back reference",
      ruleOf({ field: "name", op: "matches", value: "(a)\\1" }),
      /as RE2 takes it/,
    ],
    [
      "an unclosed pattern",
      ruleOf({ field: "name", op: "matches", value: "([a-" }),
      /as RE2 takes it/,
    ],
    [
      "a repeat of repeats",
      ruleOf({ field: "name", op: "matches", value: "((a{100}){100}){100}" }),
      /as RE2 takes it/,
    ],
    [
      "a pattern of many steps",
      ruleOf({ field: "name", op: "matches", value: "(\\pL{900}){0,1}|[^x]{900}|(a?){999}" }),
      /must be simpler/,
    ],
    [
      "a pattern of a megabyte",
      ruleOf({ field: "name", op: "matches", value: "a".repeat(1_000_000) }),
      /1 to 500 characters/,
    ],
    [
      "an infinite number",
      ruleOf({ field: "points", op: "greater", value: JSON.parse("1e999") }),
      /is Infinity, and must be a number/,
    ],
    [
      "NaN",
      ruleOf({ field: "points", op: "greater", value: Number.NaN }),
      /is NaN, and must be a number/,
    ],
    [
      "the year 275761",
      ruleOf({ field: "dueDate", op: "before", value: "+275761-01-01T00:00:00Z" }),
      /must be a day/,
    ],
    [
      "a date in words",
      ruleOf({ field: "dueDate", op: "before", value: "tomorrow" }),
      /must be a day/,
    ],
    [
      "days without end",
      ruleOf({ field: "dueDate", op: "before", value: { days: 1e300 } }),
      /from -36525 to 36525/,
    ],
    ["the operator __proto__", ruleOf({ ...COMPARISON, op: "__proto__" }), /is "__proto__"/],
    ["the operator constructor", ruleOf({ ...COMPARISON, op: "constructor" }), /is "constructor"/],
    ["the field __proto__", ruleOf({ ...COMPARISON, field: "__proto__" }), /is "__proto__"/],
    ["the field toString", ruleOf({ ...COMPARISON, field: "toString" }), /is "toString"/],
    [
      "an own key __proto__",
      JSON.parse(`{"__proto__": {"id": "x"}, "actions": []}`),
      /there is no key "__proto__"/,
    ],
    ["the action hasOwnProperty", action({ type: "hasOwnProperty" }), /is "hasOwnProperty"/],
    [
      "an id of 10,000 characters",
      ruleOf(undefined, { id: "x".repeat(10_000) }),
      /1 to 255 characters/,
    ],
    ["a NUL in an id", ruleOf(undefined, { id: "a\0b" }), /\.id/],
    [
      "66 actions",
      ruleOf(undefined, { actions: many(66, () => ({ type: "archive" })) }),
      /has 66 actions, of which a rule may have 65/,
    ],
    [
      "5,001 items",
      action({ type: "archive", items: many(5_001, String) }),
      /1 to 5000 ids, and has 5001/,
    ],
    [
      "65 times 100 items",
      ruleOf(undefined, {
        actions: many(65, () => ({ type: "archive", items: many(100, String) })),
      }),
      /touch 6500 items together/,
    ],
    [
      "actions of a megabyte",
      ruleOf(undefined, {
        actions: many(65, () => ({ type: "comment", text: "é".repeat(5_000) })),
      }),
      /characters as JSON/,
    ],
    [
      "a comment without end",
      action({ type: "comment", text: "x".repeat(1_000_000) }),
      /1 to 5000 characters/,
    ],
    [
      "a list of lists",
      ruleOf({ field: "labels", op: "contains_any", value: [[["a"]]] }),
      /its element 0/,
    ],
    ["501 values", ruleOf({ field: "priority", op: "in", value: many(501, String) }), /1 to 500/],
    ["a list in place of a rule", [], /is a list of 0/],
    ["null in place of a rule", null, /is null/],
    [
      "a rule of 10,000 unknown keys",
      Object.fromEntries(many(10_000, (n) => [`key${n}`, n])),
      /there is no key "key0"/,
    ],
    [
      "fields that are numbers",
      ruleOf(undefined, { trigger: { on: "item.updated", fields: [1, 2] } }),
      /fields\[0\]/,
    ],
    [
      "an event that is an object",
      ruleOf(undefined, { trigger: { on: { toString: 1 } } }),
      /trigger\.on/,
    ],
    [
      "a trigger without end",
      ruleOf(undefined, { trigger: { on: many(100_000, () => "x") } }),
      /trigger\.on/,
    ],
  ])("%s", (_, rule, message) => {
    const startMs = performance.now();
    const { matched, skipped, warnings, warningsTotal } = tryRules([rule, GOOD]);
    expect(matched.map(({ ruleId }) => ruleId)).toEqual(["good"]);
    expect(skipped).toEqual([]);
    expect(warnings.map((warning) => `${warning.path}: ${warning.message}`).join("\n")).toMatch(
      message,
    );
    expect(warningsTotal).toBeLessThanOrEqual(50);
    expect(JSON.stringify(warnings).length).toBeLessThan(50_000);
    expect(performance.now() - startMs).toBeLessThan(3_000);
  });
});

describe("an item that is odd", () => {
  const dated = (value: unknown) =>
    holds({ field: "dueDate", op: "before", value: { days: 1 } }, { dueDate: value });
  test.each<[string, unknown]>([
    ["NaN", Number.NaN],
    ["no date", "not a date"],
    ["past the last year", "+275760-09-14T00:00:00Z"],
    ["the 30th of February", "2026-02-30"],
    ["the 13th month", "2026-13-01"],
    ["a time without offset", "2026-01-01T10:00:00"],
    ["an object", { days: 1 }],
    ["a list", ["2026-01-01"]],
  ])("a date that is %s is before nothing", (_, value) => {
    expect(dated(value)).toBe(false);
  });

  test("the last and the first instant are dates", () => {
    expect(dated("-271821-04-20T00:00:00Z")).toBe(true);
    expect(
      holds({ field: "dueDate", op: "after", value: NOW }, { dueDate: "+275760-09-13T00:00:00Z" }),
    ).toBe(true);
  });

  test("keys of a prototype are fields of nothing", () => {
    const item = JSON.parse(
      `{"__proto__": {"priority": "urgent"}, "custom": {"__proto__": "x", "constructor": "y"}}`,
    );
    expect(holds(COMPARISON, item)).toBe(false);
    expect(holds({ field: "custom.constructor", op: "equals", value: "y" }, item)).toBe(true);
    expect(holds({ field: "custom.toString", op: "empty" }, item)).toBe(true);
    expect(({} as Record<string, unknown>).priority).toBeUndefined();
  });

  test("a bad value counts as not known, with a warning", () => {
    const { warnings, matched } = tryRules([ruleOf({ field: "labels", op: "empty" })], {
      item: { labels: [1, 2], points: Number.POSITIVE_INFINITY, name: "x".repeat(200_000) },
    });
    expect(matched).toHaveLength(1);
    expect(warnings.map(({ path }) => path)).toEqual(["item.labels", "item.points", "item.name"]);
  });

  test("100,000 fields of nobody's are skipped", () => {
    const item = Object.fromEntries(many(100_000, (n) => [`f${n}`, n]));
    expect(tryRules([GOOD], { item })).toMatchObject({ matched: [{}], warningsTotal: 0 });
  });
});

test("a regular expression bomb takes linear time", () => {
  // Of a longer text the first 2,000 characters are looked at.
  const name = `${"a".repeat(1_999)}!${"a".repeat(90_000)}`;
  const startMs = performance.now();
  for (const value of ["^(a+)+$", "^(a|aa)+$", "(x+x+)+y", "(.*)*b", "^(a?){500}a{500}$"])
    expect(holds({ field: "name", op: "matches", value }, { name })).toBe(false);
  expect(performance.now() - startMs).toBeLessThan(5_000);
});

describe("rules that set off each other", () => {
  const ping = ruleOf(undefined, {
    id: "ping",
    actions: [{ type: "set", field: "custom.ball", value: "pong" }],
  });
  const pong = ruleOf(undefined, {
    id: "pong",
    actions: [{ type: "set", field: "custom.ball", value: "ping" }],
  });

  test("end at depth 10, and the path names them", () => {
    let event = { type: "item.updated", depth: 0, path: [] as string[] };
    const played: string[] = [];
    for (let turn = 0; turn < 100; turn++) {
      const { matched } = tryRules([turn % 2 ? pong : ping], { event });
      const [match] = matched;
      if (match === undefined) break;
      played.push(match.ruleId);
      event = { type: "item.updated", depth: match.depth, path: match.path };
    }
    expect(played).toHaveLength(10);
    const { matched, skipped } = tryRules([ping, pong], { event, explain: true });
    expect(matched).toEqual([]);
    expect(skipped.map(({ reason }) => reason)).toEqual(["depth", "depth"]);
    expect(skipped[0]?.message).toBe(
      `10 rules led to this event, which ends the chain: ${played.join(" → ")}`,
    );
  });

  test("a rule whose actions change nothing does not fire, so that most loops end at once", () => {
    const item = { custom: { ball: "pong" }, labels: ["a"], state: "s", archived_at: NOW };
    const idle = ruleOf(undefined, {
      actions: [
        { type: "set", field: "custom.ball", value: "pong" },
        { type: "add", field: "labels", values: ["a"] },
        { type: "remove", field: "labels", values: ["b"] },
        { type: "set", field: "labels", value: ["a"] },
        { type: "archive" },
      ],
    });
    expect(tryRules([idle], { item }).skipped).toEqual([
      { ruleId: "r", reason: "changes_nothing" },
    ]);
  });

  test("of several actions only those that change something are left", () => {
    const both = ruleOf(undefined, {
      actions: [
        { type: "set", field: "state", value: "s" },
        { type: "set", field: "state", value: "t" },
      ],
    });
    expect(tryRules([both], { item: { state: "s" } }).matched[0]?.actions).toEqual([
      { type: "set", field: "state", value: "t" },
    ]);
  });
});

test("together rules touch at most 5,000 items, and what comes after is skipped", () => {
  const rules = many(4, (n) =>
    ruleOf(undefined, {
      id: `r${n}`,
      actions: [{ type: "archive", items: many(n === 3 ? 1_000 : 2_000, String) }],
    }),
  );
  const { matched, skipped } = tryRules(rules);
  expect(matched.map(({ ruleId }) => ruleId)).toEqual(["r0", "r1", "r3"]);
  expect(skipped).toEqual([{ ruleId: "r2", reason: "limit" }]);
});

test("99,000 conditions of 100 rules are read, and each rule that fails is explained by 20", () => {
  const rules = many(100, (n) => ruleOf({ any: many(990, () => COMPARISON) }, { id: `r${n}` }));
  expect(tryRules(rules, { explain: true }).skipped[99]?.failed).toHaveLength(20);
});

describe("a job that is refused", () => {
  const sent = { event: { type: "item.updated" }, item: {}, rules: [], now: NOW };
  test.each<[string, object]>([
    ["1,001 rules", { rules: many(1_001, () => GOOD) }],
    ["rules that are no list", { rules: { 0: GOOD } }],
    ["no time", { now: "noon" }],
    ["a time past the last year", { now: "+275760-09-14T00:00:00Z" }],
    ["an item that is a list", { item: [] }],
    ["a depth below 0", { event: { type: "x", depth: -1 } }],
    ["a depth that is none", { event: { type: "x", depth: 0.5 } }],
    ["1,001 changes", { event: { type: "x", changes: many(1_001, () => ({ field: "state" })) } }],
    ["a NUL in the actor", { event: { type: "x", actor: "a\0" } }],
  ])("%s", (_, more) => {
    expect(EvaluateInput.safeParse(sent).success).toBe(true);
    expect(EvaluateInput.safeParse({ ...sent, ...more }).success).toBe(false);
  });
});

describe("an event that is odd", () => {
  const event = {
    workspaceId: "w",
    projectId: "p",
    issueId: "i",
    type: "issue.activity.updated",
    actorId: "ada",
    epoch: 1_774_958_400,
    activities: [{ field: "priority", verb: "updated", oldValue: "low", newValue: "high" }],
    states: {},
  };
  const read = (more: object) => ReactInput.parse(reactInputOf({ ...event, ...more }));

  test.each<[string, object, number]>([
    ["a broken activity", { activities: [7, null, { field: 1 }, ...event.activities] }, 1],
    ["a broken state", { states: { todo: 7 } }, 1],
    ["a broken cause", { cause: "me" }, 1],
    ["a cause without end", { cause: { depth: 1e300, path: many(5_000, String) } }, 1],
    ["a broken item", { type: "issue.activity.created", item: "x" }, 1],
    ["a draft", { type: "issue_draft.activity.created" }, 0],
    ["a kind of nobody's", { type: "constructor.activity.created" }, 0],
    ["nothing in it", { activities: [] }, 0],
    ["a field of a prototype", { activities: [{ field: "__proto__", newValue: "x" }] }, 1],
  ])("%s costs nothing else", (_, more, items) => {
    expect(read(more).items).toHaveLength(items);
  });

  test.each<[string, object]>([
    ["no project", { projectId: undefined }],
    ["a time in milliseconds", { epoch: 1_774_958_400_000 }],
    ["1,001 activities", { activities: many(1_001, () => ({})) }],
  ])("%s is refused", (_, more) => {
    expect(() => read(more)).toThrow();
  });
});
