/** The operators of conditions: which fields and values each takes, and when it holds. */
import { RE2JS } from "re2js";
import { CEILINGS } from "../schemas/vocabulary.ts";
import type { Kind } from "./fields.ts";
import { instantMs } from "./instant.ts";
import type { Scalar, Value } from "./item.ts";

const DAY_MS = 86_400_000;

/** What an operator compares with. `instant` is a date, or `{days}` from now on, negative before. */
export type Operand =
  | "none"
  | "scalar"
  | "scalars"
  | "text"
  | "ids"
  | "number"
  | "instant"
  | "pattern";

/** Decides on an actual value; undefined is a field that is not known, which counts as empty. */
export type Test = (actual: Value | undefined, nowMs: number) => boolean;

interface Operator {
  operand: Operand;
  kinds: readonly Kind[];
  /** Called once a rule, not once an item. */
  compile(expected: never): Test;
}

const EVERY: readonly Kind[] = ["text", "id", "ids", "number", "date", "boolean", "any"];
const TEXTS: readonly Kind[] = ["text", "id", "any"];
const LISTED: readonly Kind[] = ["text", "id", "ids", "any"];
/** Dates are compared as instants, and never as texts, of which one instant has many. */
const SINGLE: readonly Kind[] = ["text", "id", "number", "boolean", "any"];
const NUMBERS: readonly Kind[] = ["number", "any"];
const DATES: readonly Kind[] = ["date", "any"];

const isEmpty = (value: Value | undefined) =>
  value === undefined || value === null || (Array.isArray(value) && value.length === 0);
/** Case is no difference where a person would not see one; of ids it is. */
const folded = (text: string) => text.toLowerCase();
const not =
  (test: Test): Test =>
  (actual, nowMs) =>
    !test(actual, nowMs);

const equals =
  (expected: Scalar): Test =>
  (actual) =>
    actual === expected;

function isIn(expected: readonly Scalar[]): Test {
  const values = new Set<unknown>(expected);
  return (actual) => values.has(actual);
}

function contains(expected: string): Test {
  const sought = folded(expected);
  return (actual) =>
    typeof actual === "string"
      ? folded(actual).includes(sought)
      : Array.isArray(actual) && actual.includes(expected);
}

const containsAny = (expected: readonly string[]): Test => {
  const sought = new Set(expected);
  return (actual) => Array.isArray(actual) && actual.some((id) => sought.has(id));
};

const containsAll =
  (expected: readonly string[]): Test =>
  (actual) =>
    Array.isArray(actual) && expected.every((id) => actual.includes(id));

function startsWith(expected: string): Test {
  const sought = folded(expected);
  return (actual) => typeof actual === "string" && folded(actual).startsWith(sought);
}

function endsWith(expected: string): Test {
  const sought = folded(expected);
  return (actual) => typeof actual === "string" && folded(actual).endsWith(sought);
}

/** By re2js, whose time is linear in the text: a pattern of a user's can't hold up the worker. */
function matches(expected: string): Test {
  const pattern = RE2JS.compile(expected);
  return (actual) =>
    typeof actual === "string" && pattern.test(actual.slice(0, CEILINGS.matchedLength));
}

const compared =
  (holds: (actual: number, expected: number) => boolean) =>
  (expected: number): Test =>
  (actual) =>
    typeof actual === "number" && holds(actual, expected);

export type Instant = string | { days: number };

const dated =
  (holds: (actualMs: number, expectedMs: number) => boolean) =>
  (expected: Instant): Test => {
    const fixedMs = typeof expected === "string" ? instantMs(expected) : Number.NaN;
    const offsetMs = typeof expected === "string" ? undefined : expected.days * DAY_MS;
    // What is no date is NaN, of which no comparison holds.
    return (actual, nowMs) =>
      holds(instantMs(actual), offsetMs === undefined ? fixedMs : nowMs + offsetMs);
  };

export const OPERATORS = {
  equals: { operand: "scalar", kinds: SINGLE, compile: equals },
  not_equals: { operand: "scalar", kinds: SINGLE, compile: (value: Scalar) => not(equals(value)) },
  in: { operand: "scalars", kinds: SINGLE, compile: isIn },
  not_in: { operand: "scalars", kinds: SINGLE, compile: (values: Scalar[]) => not(isIn(values)) },
  contains: { operand: "text", kinds: LISTED, compile: contains },
  not_contains: { operand: "text", kinds: LISTED, compile: (text: string) => not(contains(text)) },
  contains_any: { operand: "ids", kinds: ["ids", "any"], compile: containsAny },
  contains_all: { operand: "ids", kinds: ["ids", "any"], compile: containsAll },
  contains_none: {
    operand: "ids",
    kinds: ["ids", "any"],
    compile: (ids: string[]) => not(containsAny(ids)),
  },
  starts_with: { operand: "text", kinds: TEXTS, compile: startsWith },
  ends_with: { operand: "text", kinds: TEXTS, compile: endsWith },
  matches: { operand: "pattern", kinds: TEXTS, compile: matches },
  not_matches: {
    operand: "pattern",
    kinds: TEXTS,
    compile: (pattern: string) => not(matches(pattern)),
  },
  greater: { operand: "number", kinds: NUMBERS, compile: compared((a, b) => a > b) },
  at_least: { operand: "number", kinds: NUMBERS, compile: compared((a, b) => a >= b) },
  less: { operand: "number", kinds: NUMBERS, compile: compared((a, b) => a < b) },
  at_most: { operand: "number", kinds: NUMBERS, compile: compared((a, b) => a <= b) },
  before: { operand: "instant", kinds: DATES, compile: dated((a, b) => a < b) },
  after: { operand: "instant", kinds: DATES, compile: dated((a, b) => a > b) },
  empty: { operand: "none", kinds: EVERY, compile: () => isEmpty },
  not_empty: { operand: "none", kinds: EVERY, compile: () => not(isEmpty) },
} as const satisfies Record<string, Operator>;

export type OperatorName = keyof typeof OPERATORS;
/** What they look at is the event's change of the field, and not its value. */
export const CHANGE_OPERATORS = {
  changed: "none",
  changed_from: "scalar",
  changed_to: "scalar",
} as const satisfies Record<string, Operand>;
export type ChangeOperatorName = keyof typeof CHANGE_OPERATORS;

export const OPERATOR_NAMES = [
  ...(Object.keys(OPERATORS) as OperatorName[]),
  ...(Object.keys(CHANGE_OPERATORS) as ChangeOperatorName[]),
];

export const isChangeOperator = (op: string): op is ChangeOperatorName =>
  Object.hasOwn(CHANGE_OPERATORS, op);
export const operandOf = (op: OperatorName | ChangeOperatorName): Operand =>
  isChangeOperator(op) ? CHANGE_OPERATORS[op] : OPERATORS[op].operand;
export const kindsOf = (op: OperatorName | ChangeOperatorName): readonly Kind[] =>
  isChangeOperator(op) ? EVERY : OPERATORS[op].kinds;
