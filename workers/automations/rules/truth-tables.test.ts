/** The truth table of each operator and of each way to join conditions. */
import { describe, expect, test } from "vitest";
import { holds } from "../try-rule.fixture.ts";
import { OPERATOR_NAMES } from "./operators.ts";

const ABSENT = Symbol("absent");
type Row = readonly [actual: unknown, expected: unknown, holds: boolean, field?: string];

/** Actual value, what it is compared with, and whether it holds. Without a field it is one of the tracker's own. */
const TABLES: Record<string, readonly Row[]> = {
  equals: [
    ["a", "a", true],
    ["a", "A", false],
    ["a", "b", false],
    [1, 1, true],
    [1, "1", false],
    ["5", 5, true, "points"],
    ["XL", "XL", true, "points"],
    [true, true, true],
    [false, true, false],
    [null, "a", false],
    ["", "a", false],
    [ABSENT, "a", false],
    [["a"], "a", false],
  ],
  not_equals: [
    ["a", "a", false],
    ["a", "b", true],
    [1, "1", true],
    [null, "a", true],
    [ABSENT, "a", true],
  ],
  in: [
    ["a", ["b", "a"], true],
    ["c", ["b", "a"], false],
    [2, [1, 2], true],
    [2, ["2"], false],
    [null, ["a"], false],
    [ABSENT, ["a"], false],
  ],
  not_in: [
    ["a", ["b", "a"], false],
    ["c", ["b", "a"], true],
    [null, ["a"], true],
    [ABSENT, ["a"], true],
  ],
  contains: [
    ["The Login page", "login", true, "name"],
    ["The Login page", "logout", false, "name"],
    ["ÑANDÚ", "ñandú", true, "name"],
    [["bug", "ui"], "bug", true, "labels"],
    [["bugs"], "bug", false, "labels"],
    [["Bug"], "bug", false, "labels"],
    ["bug", "bug", true, "labels"],
    [[], "bug", false, "labels"],
    [null, "bug", false, "labels"],
    [ABSENT, "bug", false, "labels"],
    [12, "1", false],
  ],
  not_contains: [
    ["The Login page", "login", false, "name"],
    ["The Login page", "logout", true, "name"],
    [["bug"], "bug", false, "labels"],
    [[], "bug", true, "labels"],
    [ABSENT, "bug", true, "labels"],
  ],
  contains_any: [
    [["a", "b"], ["b", "c"], true, "labels"],
    [["a"], ["b", "c"], false, "labels"],
    [[], ["b"], false, "labels"],
    ["b", ["b"], true, "labels"],
    ["b", ["b"], false],
    [ABSENT, ["b"], false, "labels"],
  ],
  contains_all: [
    [["a", "b", "c"], ["c", "a"], true, "labels"],
    [["a"], ["a", "b"], false, "labels"],
    [[], ["b"], false, "labels"],
    [ABSENT, ["b"], false, "labels"],
  ],
  contains_none: [
    [["a", "b"], ["b", "c"], false, "labels"],
    [["a"], ["b", "c"], true, "labels"],
    [[], ["b"], true, "labels"],
    [ABSENT, ["b"], true, "labels"],
  ],
  starts_with: [
    ["Bug: it fails", "bug:", true, "name"],
    ["A bug", "bug", false, "name"],
    [ABSENT, "bug", false, "name"],
    [["bug"], "bug", false],
  ],
  ends_with: [
    ["Is it DONE?", "done?", true, "name"],
    ["done? no", "done?", false, "name"],
    [ABSENT, "done", false, "name"],
  ],
  matches: [
    ["BUG-12 fails", "^BUG-[0-9]+", true, "name"],
    ["a BUG-12", "^BUG-[0-9]+", false, "name"],
    ["bug-12", "BUG", false, "name"],
    ["bug-12", "(?i)BUG", true, "name"],
    [ABSENT, ".*", false, "name"],
    [7, "7", false],
  ],
  not_matches: [
    ["BUG-12 fails", "^BUG-[0-9]+", false, "name"],
    ["other", "^BUG-[0-9]+", true, "name"],
    [ABSENT, ".*", true, "name"],
  ],
  greater: [
    [3, 2, true, "points"],
    [2, 2, false, "points"],
    [1, 2, false, "points"],
    ["XL", 2, false, "points"],
    [null, -1, false, "points"],
    [ABSENT, -1, false, "points"],
  ],
  at_least: [
    [3, 2, true, "points"],
    [2, 2, true, "points"],
    [1, 2, false, "points"],
    [ABSENT, -1, false, "points"],
  ],
  less: [
    [1, 2, true, "points"],
    [2, 2, false, "points"],
    [3, 2, false, "points"],
    [ABSENT, 2, false, "points"],
    [null, 2, false, "points"],
  ],
  at_most: [
    [1, 2, true, "points"],
    [2, 2, true, "points"],
    [3, 2, false, "points"],
    [ABSENT, 2, false, "points"],
  ],
  // Now is noon of 2026-03-31, UTC.
  before: [
    ["2026-03-30", "2026-03-31", true, "dueDate"],
    ["2026-03-31", "2026-03-31", false, "dueDate"],
    ["2026-04-01", "2026-03-31", false, "dueDate"],
    ["2026-03-31T10:00:00+02:00", "2026-03-31T08:30:00Z", true, "dueDate"],
    ["2026-03-31T11:59:59.999Z", { days: 0 }, true, "dueDate"],
    ["2026-03-31T12:00:00.000Z", { days: 0 }, false, "dueDate"],
    ["2026-03-23", { days: -7 }, true, "dueDate"],
    ["2026-03-25", { days: -7 }, false, "dueDate"],
    ["2028-02-29", "2028-03-01", true, "dueDate"],
    ["2026-02-30", "2027-01-01", false, "dueDate"],
    ["soon", "2027-01-01", false, "dueDate"],
    [null, "2027-01-01", false, "dueDate"],
    [ABSENT, "2027-01-01", false, "dueDate"],
    [1_700_000_000, "2027-01-01", false, "dueDate"],
  ],
  after: [
    ["2026-04-01", "2026-03-31", true, "dueDate"],
    ["2026-03-31", "2026-03-31", false, "dueDate"],
    ["2026-03-30", "2026-03-31", false, "dueDate"],
    ["2026-04-09", { days: 7 }, true, "dueDate"],
    ["2026-04-07", { days: 7 }, false, "dueDate"],
    ["never", "2026-03-31", false, "dueDate"],
    [ABSENT, "2026-03-31", false, "dueDate"],
  ],
  empty: [
    [null, ABSENT, true],
    ["", ABSENT, true],
    [[], ABSENT, true, "labels"],
    [ABSENT, ABSENT, true],
    ["a", ABSENT, false],
    [0, ABSENT, false],
    [false, ABSENT, false],
    [["a"], ABSENT, false, "labels"],
  ],
  not_empty: [
    [null, ABSENT, false],
    [[], ABSENT, false, "labels"],
    [ABSENT, ABSENT, false],
    [0, ABSENT, true],
    [["a"], ABSENT, true, "labels"],
  ],
};

const NAMES = Object.keys(TABLES);

describe.each(NAMES)("%s", (op) => {
  test.each(TABLES[op] as Row[])(
    "%j with %j: %s",
    (actual, value, expected, field = "custom.x") => {
      const item: object = actual === ABSENT ? {} : { [field as string]: actual };
      const condition = { field, op, ...(value !== ABSENT && { value }) };
      expect(holds(condition, item)).toBe(expected);
      expect(holds({ not: condition }, item)).toBe(!expected);
    },
  );

  test("has a row in which it holds and one in which it does not", () => {
    expect(new Set(TABLES[op]?.map(([, , expected]) => expected))).toEqual(new Set([true, false]));
  });
});

describe("changes", () => {
  const change = (field: string, from: unknown, to: unknown) => ({
    changes: [{ field, from, to }],
  });
  test.each([
    ["changed", undefined, change("state", "a", "b"), true],
    ["changed", undefined, change("state", "a", "a"), false],
    ["changed", undefined, change("priority", "a", "b"), false],
    ["changed", undefined, {}, false],
    ["changed_from", "a", change("state", "a", "b"), true],
    ["changed_from", "b", change("state", "a", "b"), false],
    ["changed_from", "a", change("state", null, "a"), false],
    ["changed_to", "b", change("state", "a", "b"), true],
    ["changed_to", "a", change("state", "a", "b"), false],
    ["changed_to", "b", change("state_id", "a", "b"), true],
    ["changed_to", "b", {}, false],
  ])("%s %j of %j: %s", (op, value, event, expected) => {
    const condition = { field: "state", op, ...(value !== undefined && { value }) };
    expect(holds(condition, {}, event)).toBe(expected);
  });

  test("of a set each id that came or went counts", () => {
    const event = change("labels", ["a", "b"], ["b", "c"]);
    const says = (op: string, value: string) => holds({ field: "labels", op, value }, {}, event);
    expect([says("changed_from", "a"), says("changed_to", "c")]).toEqual([true, true]);
    expect([says("changed_from", "b"), says("changed_to", "b")]).toEqual([false, false]);
    const reordered = change("labels", ["a", "b"], ["b", "a"]);
    expect(holds({ field: "labels", op: "changed" }, {}, reordered)).toBe(false);
  });

  test("actor and comment are the event's", () => {
    const event = { actor: "ada", comment: "Please HELP" };
    expect(holds({ field: "actor", op: "equals", value: "ada" }, {}, event)).toBe(true);
    expect(holds({ field: "comment", op: "contains", value: "help" }, {}, event)).toBe(true);
    expect(holds({ field: "comment", op: "empty" }, { comment: "x" })).toBe(true);
  });
});

test("every operator has its table", () => {
  const changes = ["changed", "changed_from", "changed_to"];
  expect([...NAMES, ...changes].sort()).toEqual([...OPERATOR_NAMES].sort());
});

describe("groups", () => {
  const T = { field: "custom.yes", op: "not_empty" };
  const F = { field: "custom.yes", op: "empty" };
  const item = { custom: { yes: true } };
  const all = (...of: unknown[]) => ({ all: of });
  const any = (...of: unknown[]) => ({ any: of });
  const not = (of: unknown) => ({ not: of });
  test.each([
    [all(T), true],
    [all(F), false],
    [all(T, T), true],
    [all(T, F), false],
    [all(F, T), false],
    [all(F, F), false],
    [all(T, T, T), true],
    [all(T, T, F), false],
    [any(T), true],
    [any(F), false],
    [any(T, T), true],
    [any(T, F), true],
    [any(F, T), true],
    [any(F, F), false],
    [any(F, F, T), true],
    [any(F, F, F), false],
    [not(T), false],
    [not(F), true],
    [not(not(T)), true],
    [all(any(F, T), not(F)), true],
    [all(any(F, F), not(F)), false],
    [any(all(T, F), not(T)), false],
    [any(all(T, T), not(T)), true],
    [not(all(T, F)), true],
    [not(any(T, F)), false],
  ])("%j: %s", (condition, expected) => {
    expect(holds(condition, item)).toBe(expected);
  });
});
