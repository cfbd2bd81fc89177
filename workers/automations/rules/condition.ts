/** Reads conditions as an author wrote them: nested groups of comparisons. */
import { CEILINGS } from "../schemas/vocabulary.ts";
import { EVENT_FIELDS, FIELD_NAMES, fieldNamed, kindOf } from "./fields.ts";
import { NOUNS } from "./item.ts";
import { readOperand } from "./operand.ts";
import {
  type ChangeOperatorName,
  isChangeOperator,
  kindsOf,
  OPERATOR_NAMES,
  type OperatorName,
  operandOf,
} from "./operators.ts";
import {
  didYouMean,
  isKnownName,
  isObject,
  type Path,
  type Problems,
  refuseUnknownKeys,
  shown,
} from "./problem.ts";

export interface Comparison {
  kind: "comparison";
  /** The field's own name, which may be one of the event's. */
  field: string;
  op: OperatorName | ChangeOperatorName;
  /** Of the sort that the operator takes. */
  value: unknown;
}
export type Condition =
  | Comparison
  | { kind: "all" | "any"; of: Condition[] }
  | { kind: "not"; of: [Condition] };

const GROUPS = ["all", "any", "not"] as const;
const KEYS = [...GROUPS, "field", "op", "value"];
const EVENT_FIELD_NAMES = Object.keys(EVENT_FIELDS);

/** Conditions that were read, of which a rule may have {@link CEILINGS.conditions}. */
interface Count {
  conditions: number;
}

/** The condition, or undefined where it, or one within it, has a problem. */
export function readCondition(
  sent: unknown,
  path: Path,
  problems: Problems,
): Condition | undefined {
  return read(sent, path, problems, 0, { conditions: 0 });
}

function read(
  sent: unknown,
  path: Path,
  problems: Problems,
  depth: number,
  count: Count,
): Condition | undefined {
  count.conditions += 1;
  if (count.conditions > CEILINGS.conditions) {
    if (count.conditions === CEILINGS.conditions + 1)
      problems.add(
        path,
        `is condition ${count.conditions} of the rule, which may have ${CEILINGS.conditions}: compare with a list (in, contains_any) where many differ by their value only`,
      );
    return undefined;
  }
  if (!isObject(sent)) {
    problems.add(
      path,
      `is ${shown(sent)}, and must be {field, op, value} or {all: […]}, {any: […]}, {not: …}`,
    );
    return undefined;
  }
  refuseUnknownKeys(sent, KEYS, path, problems);
  const groups = GROUPS.filter((group) => Object.hasOwn(sent, group));
  const isComparison = ["field", "op", "value"].some((key) => Object.hasOwn(sent, key));
  if (groups.length + Number(isComparison) !== 1) {
    problems.add(
      path,
      groups.length + Number(isComparison) === 0
        ? "says nothing: it must have field and op, or all, any or not"
        : "must be one of all, any, not or a comparison: put the others into a group of their own",
    );
    return undefined;
  }
  const [group] = groups;
  if (group === undefined) return readComparison(sent, path, problems);
  if (depth >= CEILINGS.nesting) {
    problems.add(path, `is nested deeper than ${CEILINGS.nesting} groups`);
    return undefined;
  }
  if (group !== "not")
    return readGroup(group, sent[group], [...path, group], problems, depth, count);
  const inner = read(sent.not, [...path, group], problems, depth + 1, count);
  return inner && { kind: "not", of: [inner] };
}

function readGroup(
  kind: "all" | "any",
  sent: unknown,
  path: Path,
  problems: Problems,
  depth: number,
  count: Count,
): Condition | undefined {
  if (!Array.isArray(sent) || sent.length === 0) {
    problems.add(path, "must be a list of one condition or more");
    return undefined;
  }
  const of: Condition[] = [];
  for (const [index, element] of sent.entries()) {
    // A list of millions is not worth a look at each.
    if (count.conditions > CEILINGS.conditions) break;
    const condition = read(element, [...path, index], problems, depth + 1, count);
    if (condition) of.push(condition);
  }
  return of.length === sent.length ? { kind, of } : undefined;
}

function readComparison(
  sent: Record<string, unknown>,
  path: Path,
  problems: Problems,
): Comparison | undefined {
  const isOp = isKnownName(sent.op, OPERATOR_NAMES, [...path, "op"], problems);
  const field = readField(sent.field, [...path, "field"], problems, EVENT_FIELD_NAMES);
  if (!isOp || field === undefined) return undefined;
  const op = sent.op as Comparison["op"];
  const kind = kindOf(field);
  if (!kindsOf(op).includes(kind)) {
    const fitting = OPERATOR_NAMES.filter((name) => kindsOf(name).includes(kind));
    problems.add(
      [...path, "op"],
      `${op} does not go with ${field}, which holds ${NOUNS[kind]}: take one of ${fitting.join(", ")}`,
    );
    return undefined;
  }
  if (isChangeOperator(op) && EVENT_FIELD_NAMES.includes(field)) {
    problems.add([...path, "field"], `${field} is the event's own and never changes`);
    return undefined;
  }
  const value = readOperand(operandOf(op), sent, path, problems);
  return value === undefined ? undefined : { kind: "comparison", field, op, value };
}

/** The own name of the field that a rule names. */
export function readField(
  sent: unknown,
  path: Path,
  problems: Problems,
  more: readonly string[] = [],
): string | undefined {
  const own =
    typeof sent === "string" ? (more.includes(sent) ? sent : fieldNamed(sent)) : undefined;
  if (own !== undefined) return own;
  const known = [...FIELD_NAMES, ...more];
  const hint = didYouMean(sent, known) || `; there are ${known.join(", ")}, and custom.<name>`;
  problems.add(path, sent === undefined ? `is missing${hint}` : `is ${shown(sent)}${hint}`);
  return undefined;
}
