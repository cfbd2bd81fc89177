/** Explains why a rule did not match: which of its conditions failed, what they expected and what they found. */
import { CEILINGS } from "../schemas/vocabulary.ts";
import { actualOf, compileCondition, type Facts } from "./compile.ts";
import type { Condition } from "./condition.ts";
import type { Change } from "./event.ts";
import type { Value } from "./item.ts";

export interface FailedCondition {
  /** From the rule, as in `conditions.all[1]`. */
  path: string;
  field: string;
  op: string;
  /** Whether it stands within a `not`, so that it held and should not have. */
  isNegated: boolean;
  expected: string;
  actual: string;
}

const MAX_SHOWN = 200;
/** A list is shown by its first. */
const MAX_SHOWN_IDS = 10;

type Predicate = (facts: Facts) => boolean;
/** A condition that can be asked again, part by part. */
interface Node {
  condition: Condition;
  path: string;
  holds: Predicate;
  /** Of a comparison: what it compares with. */
  expected: string;
  of: Node[];
}

/** Compiles what explains a condition that did not hold; a dry run alone pays for it. */
export function compileExplanation(condition: Condition): (facts: Facts) => FailedCondition[] {
  const root = nodeOf(condition, "conditions");
  return (facts) => {
    const failed: FailedCondition[] = [];
    collect(root, true, facts, failed);
    return failed;
  };
}

function nodeOf(condition: Condition, path: string): Node {
  const holds = compileCondition(condition);
  if (condition.kind === "comparison")
    return { condition, path, holds, expected: shownValue(condition.value as Value), of: [] };
  const at = (index: number) =>
    condition.kind === "not" ? `${path}.not` : `${path}.${condition.kind}[${index}]`;
  const of = condition.of.map((part, index) => nodeOf(part, at(index)));
  return { condition, path, holds, expected: "", of };
}

/** Adds the comparisons because of which the node, which is known not to be what is wanted, is not. */
function collect(node: Node, wanted: boolean, facts: Facts, failed: FailedCondition[]): void {
  if (failed.length >= CEILINGS.explained) return;
  const { condition, of } = node;
  if (condition.kind === "comparison") {
    const { field, op } = condition;
    const actual = shownActual(actualOf(condition, facts));
    failed.push({
      path: node.path,
      field,
      op,
      isNegated: !wanted,
      expected: node.expected,
      actual,
    });
    return;
  }
  const isNot = condition.kind === "not";
  // None of `any` held, or all of `all` did and should not have: no need to ask each again.
  const isEach = isNot || (condition.kind === "any") === wanted;
  const inner = isNot ? !wanted : wanted;
  for (const part of of)
    if (isEach || part.holds(facts) !== inner) collect(part, inner, facts, failed);
}

function shownActual(actual: Value | undefined | readonly Change[]): string {
  if (actual === undefined) return "not known";
  if (!isChanges(actual)) return shownValue(actual);
  return actual
    .slice(0, MAX_SHOWN_IDS)
    .map(({ from, to }) => `${shownValue(from)} → ${shownValue(to)}`)
    .join(", ")
    .slice(0, MAX_SHOWN);
}

const isChanges = (actual: Value | readonly Change[]): actual is readonly Change[] =>
  Array.isArray(actual) && typeof actual[0] === "object";

function shownValue(value: Value | { days: number }): string {
  if (value === null) return "nothing";
  if (typeof value === "string")
    return value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value;
  if (Array.isArray(value)) {
    const more = value.length > MAX_SHOWN_IDS ? `, … (${value.length})` : "";
    return (
      value.slice(0, MAX_SHOWN_IDS).map(String).join(", ").slice(0, MAX_SHOWN) + more || "nothing"
    );
  }
  if (typeof value === "object" && "days" in value)
    return `now ${value.days < 0 ? "−" : "+"} ${Math.abs(value.days)} days`;
  return String(value);
}
