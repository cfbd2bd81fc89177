/** What a rule's author is told: all that is wrong at once, where, and what was likely meant. */
import { expect, test } from "vitest";
import { ruleOf, tryRules } from "../try-rule.fixture.ts";
import { pathText } from "./problem.ts";
import { readRule } from "./rule.ts";

const problemsOf = (sent: unknown) =>
  (readRule(sent, ["rules", 0]).problems?.listed ?? []).map(
    ({ path, message }) => `${pathText(path)}: ${message}`,
  );

test("a good rule has no problem", () => {
  expect(problemsOf(ruleOf())).toEqual([]);
  const rule = ruleOf(
    { all: [{ field: "label_ids", op: "contains", value: "bug" }] },
    { name: "Bugs", enabled: false, scope: { projects: ["p"] } },
  );
  expect(readRule(rule, []).rule).toMatchObject({
    isEnabled: false,
    projects: ["p"],
    condition: { kind: "all", of: [{ field: "labels", op: "contains", value: "bug" }] },
  });
});

const COMPARISON = { field: "priority", op: "equals", value: "urgent" };
test.each<[string, unknown, RegExp]>([
  [
    "a key",
    ruleOf(COMPARISON, { condition: {} }),
    /^rules\[0\]\.condition: .*did you mean conditions\?/,
  ],
  [
    "an operator",
    ruleOf({ ...COMPARISON, op: "equal" }),
    /conditions\.op: is "equal"; did you mean equals\?/,
  ],
  [
    "a field",
    ruleOf({ ...COMPARISON, field: "priorty" }),
    /conditions\.field: .*did you mean priority\?/,
  ],
  [
    "a trigger",
    ruleOf(undefined, { trigger: { on: "item.update" } }),
    /trigger\.on: .*did you mean item\.updated\?/,
  ],
  [
    "a field of a trigger",
    ruleOf(undefined, { trigger: { on: "item.updated", fields: ["stat"] } }),
    /fields\[0\]: .*did you mean state\?/,
  ],
  [
    "an action",
    ruleOf(undefined, { actions: [{ type: "coment", text: "x" }] }),
    /actions\[0\]\.type: .*did you mean comment\?/,
  ],
  [
    "a key of an action",
    ruleOf(undefined, { actions: [{ type: "comment", txt: "x" }] }),
    /actions\[0\]\.txt: .*did you mean text\?/,
  ],
  [
    "a role",
    ruleOf(undefined, { actions: [{ type: "notify", roles: ["assignee"], text: "x" }] }),
    /roles\[0\]: .*did you mean assignees\?/,
  ],
  ["a key of a condition", ruleOf({ al: [COMPARISON] }), /conditions\.al: .*did you mean all\?/],
  [
    "camel for snake",
    ruleOf({ field: "labels", op: "containsAny", value: ["a"] }),
    /did you mean contains_any\?/,
  ],
])("did you mean: %s", (_, rule, message) => {
  expect(problemsOf(rule).join("\n")).toMatch(message);
});

test.each<[string, unknown, RegExp]>([
  ["no rule", "do it", /^rules\[0\]: is "do it", and must be \{id, trigger/],
  ["no id", { ...ruleOf(), id: "" }, /\.id: must be a text/],
  ["no trigger", { ...ruleOf(), trigger: undefined }, /\.trigger: is missing/],
  ["no event", ruleOf(undefined, { trigger: { on: [] } }), /\.on: must name an event/],
  ["no actions", { ...ruleOf(), actions: [] }, /\.actions: must be a list of one action/],
  [
    "a value without its field",
    ruleOf(undefined, { trigger: { on: "item.updated", to: "x" } }),
    /\.to: needs exactly one of fields/,
  ],
  [
    "an operator for another kind",
    ruleOf({ field: "labels", op: "greater", value: 1 }),
    /greater does not go with labels, which holds a list of ids: take one of .*contains_any/,
  ],
  ["no value", ruleOf({ field: "priority", op: "equals" }), /\.value: is missing: must be a text/],
  [
    "a value too many",
    ruleOf({ field: "priority", op: "empty", value: "x" }),
    /\.value: must be left out/,
  ],
  [
    "a list for one",
    ruleOf({ field: "priority", op: "equals", value: ["x"] }),
    /is a list of 1, and must be a text/,
  ],
  ["no list", ruleOf({ field: "priority", op: "in", value: "x" }), /must be a list of 1 to 500/],
  [
    "two groups at once",
    ruleOf({ all: [COMPARISON], any: [COMPARISON] }),
    /must be one of all, any, not/,
  ],
  ["an empty group", ruleOf({ all: [] }), /conditions\.all: must be a list of one/],
  ["an empty condition", ruleOf({}), /says nothing/],
  [
    "a day that is none",
    ruleOf({ field: "dueDate", op: "before", value: "2026-02-30" }),
    /must be a day \(2026-01-31\)/,
  ],
  [
    "a local time",
    ruleOf({ field: "dueDate", op: "before", value: "2026-01-31T10:00" }),
    /instant with offset/,
  ],
  [
    "days that are none",
    ruleOf({ field: "dueDate", op: "before", value: { days: "7" } }),
    /its days must be a number/,
  ],
  [
    "a field that is the tracker's",
    ruleOf(undefined, { actions: [{ type: "set", field: "createdAt", value: null }] }),
    /createdAt can't be set/,
  ],
  [
    "a value of another kind",
    ruleOf(undefined, { actions: [{ type: "set", field: "labels", value: 1 }] }),
    /labels holds a list of ids/,
  ],
  [
    "no value to set",
    ruleOf(undefined, { actions: [{ type: "set", field: "state" }] }),
    /is missing: what to set/,
  ],
  [
    "add to what is no set",
    ruleOf(undefined, { actions: [{ type: "add", field: "state", values: ["x"] }] }),
    /state holds an id: use set/,
  ],
  [
    "a notification for nobody",
    ruleOf(undefined, { actions: [{ type: "notify", text: "x" }] }),
    /notifies nobody/,
  ],
  [
    "a new item without name",
    ruleOf(undefined, { actions: [{ type: "create", values: { state: "x" } }] }),
    /must have a name/,
  ],
  ["a change of an event's own", ruleOf({ field: "actor", op: "changed" }), /never changes/],
])("says what is wrong: %s", (_, rule, message) => {
  expect(problemsOf(rule).join("\n")).toMatch(message);
});

test("all problems are told at once", () => {
  const rule = {
    id: "",
    trigger: { on: "item.made" },
    conditions: { all: [{ field: "x", op: "y" }, COMPARISON, 7] },
    actions: [{ type: "set" }],
  };
  expect(problemsOf(rule).map((line) => line.split(":")[0])).toEqual([
    "rules[0].id",
    "rules[0].trigger.on",
    "rules[0].conditions.all[0].op",
    "rules[0].conditions.all[0].field",
    "rules[0].conditions.all[2]",
    "rules[0].actions[0].field",
  ]);
});

test("a bad rule costs no neighbour, and of two with one id the first counts", () => {
  const { matched, skipped, warnings } = tryRules([
    ruleOf(undefined, { id: "one" }),
    ruleOf({ ...COMPARISON, op: "=" }, { id: "bad" }),
    ruleOf(COMPARISON, { id: "one" }),
    ruleOf(COMPARISON, { id: "two" }),
  ]);
  expect(matched.map(({ ruleId }) => ruleId)).toEqual(["one"]);
  expect(skipped.map(({ ruleId }) => ruleId)).toEqual(["two"]);
  expect(warnings.map(({ code, path }) => [code, path])).toEqual([
    ["bad_rule", "rules[1].conditions.op"],
    ["repeated_rule", "rules[2]"],
  ]);
});

test("a dry run says why each rule did not match", () => {
  const rules = [
    ruleOf(undefined, { id: "off", enabled: false }),
    ruleOf(undefined, { id: "trigger", trigger: { on: "item.created" } }),
    ruleOf(undefined, {
      id: "field",
      trigger: { on: "item.updated", fields: ["labels"], to: "bug" },
    }),
    ruleOf(undefined, { id: "scope", scope: { projects: ["other"] } }),
    ruleOf(
      {
        all: [
          COMPARISON,
          {
            any: [
              { field: "dueDate", op: "before", value: { days: -7 } },
              { field: "labels", op: "contains", value: "bug" },
            ],
          },
          { not: { field: "state", op: "equals", value: "todo" } },
        ],
      },
      { id: "conditions" },
    ),
    ruleOf(undefined, { id: "idle", actions: [{ type: "set", field: "state", value: "todo" }] }),
  ];
  const { skipped } = tryRules(rules, {
    event: { type: "item.updated", changes: [{ field: "state", from: "x", to: "todo" }] },
    item: { project: "p", priority: "low", state: "todo", labels: ["ui", "docs"] },
    explain: true,
  });
  expect(skipped).toEqual([
    { ruleId: "off", reason: "disabled", message: "it is switched off" },
    {
      ruleId: "trigger",
      reason: "trigger",
      message: "it waits for item.created, and this is item.updated",
    },
    {
      ruleId: "field",
      reason: "field",
      message: "it waits for a change of labels to bug; changed: state",
    },
    { ruleId: "scope", reason: "scope", message: "it is not for the project p" },
    {
      ruleId: "conditions",
      reason: "conditions",
      message: "its conditions do not hold",
      failed: [
        {
          path: "conditions.all[0]",
          field: "priority",
          op: "equals",
          isNegated: false,
          expected: "urgent",
          actual: "low",
        },
        {
          path: "conditions.all[1].any[0]",
          field: "dueDate",
          op: "before",
          isNegated: false,
          expected: "now − 7 days",
          actual: "not known",
        },
        {
          path: "conditions.all[1].any[1]",
          field: "labels",
          op: "contains",
          isNegated: false,
          expected: "bug",
          actual: "ui, docs",
        },
        {
          path: "conditions.all[2].not",
          field: "state",
          op: "equals",
          isNegated: true,
          expected: "todo",
          actual: "todo",
        },
      ],
    },
    { ruleId: "idle", reason: "changes_nothing", message: "it would change nothing" },
  ]);
});
