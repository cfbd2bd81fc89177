/** Compiles rules to closures, indexed by what sets them off. */
import { EVENT_TYPES } from "../schemas/vocabulary.ts";
import type { Comparison, Condition } from "./condition.ts";
import type { Change, Event } from "./event.ts";
import { EVENT_FIELDS } from "./fields.ts";
import type { Item, Scalar, Value } from "./item.ts";
import { isChangeOperator, OPERATORS, type Test } from "./operators.ts";
import type { Rule } from "./rule.ts";

/** What a rule is tried on. */
export interface Facts {
  item: Item;
  event: Event;
  nowMs: number;
}
type Predicate = (facts: Facts) => boolean;

/** Why a rule did not match, in the order in which it is looked at. */
export const REASONS = [
  "disabled",
  "depth",
  "trigger",
  "field",
  "scope",
  "conditions",
  "changes_nothing",
  "limit",
] as const;
export type Reason = (typeof REASONS)[number];

export interface CompiledRule {
  rule: Rule;
  /** Where it stands among all, from 0. */
  order: number;
  /** Whether the trigger's values and the rule's projects fit. */
  isTriggered: Predicate;
  isInScope: Predicate;
  holds: Predicate;
  /** Characters of its actions as JSON. */
  actionsLength: number;
}

/** Rules that one type of event sets off, in their order. */
interface Bucket {
  /** Whatever changed. */
  always: CompiledRule[];
  /** Those that want a field changed, by each of their fields. */
  byField: Map<string, CompiledRule[]>;
}

export interface RuleBook {
  /** All, in their order. */
  rules: readonly CompiledRule[];
  buckets: ReadonlyMap<string, Bucket>;
}

const always: Predicate = () => true;

export function compileRules(rules: readonly Rule[]): RuleBook {
  const compiled = rules.map((rule, order) => compileRule(rule, order));
  const buckets = new Map<string, Bucket>(
    EVENT_TYPES.map((type) => [type, { always: [], byField: new Map() }]),
  );
  for (const entry of compiled) {
    if (!entry.rule.isEnabled) continue;
    for (const type of new Set(entry.rule.trigger.on)) addTo(buckets.get(type) as Bucket, entry);
  }
  return { rules: compiled, buckets };
}

function addTo(bucket: Bucket, entry: CompiledRule): void {
  const { fields } = entry.rule.trigger;
  if (fields.length === 0) bucket.always.push(entry);
  for (const field of fields) {
    const others = bucket.byField.get(field);
    if (others) others.push(entry);
    else bucket.byField.set(field, [entry]);
  }
}

/** The rules that the event may set off, in their order: of all others no condition is looked at. */
export function candidates({ buckets }: RuleBook, { type, changes }: Event): CompiledRule[] {
  const bucket = buckets.get(type);
  if (bucket === undefined) return [];
  if (bucket.byField.size === 0 || changes.size === 0) return bucket.always;
  const found = new Set(bucket.always);
  for (const field of changes.keys())
    for (const entry of bucket.byField.get(field) ?? []) found.add(entry);
  if (found.size === bucket.always.length) return bucket.always;
  return [...found].sort((a, b) => a.order - b.order);
}

function compileRule(rule: Rule, order: number): CompiledRule {
  const projects = new Set<unknown>(rule.projects);
  return {
    rule,
    order,
    isTriggered: compileTrigger(rule),
    isInScope: projects.size === 0 ? always : ({ item }) => projects.has(item.get("project")),
    holds: rule.condition ? compileCondition(rule.condition) : always,
    actionsLength: JSON.stringify(rule.actions).length,
  };
}

function compileTrigger({ trigger: { fields, from, to } }: Rule): Predicate {
  const [field] = fields;
  if (field === undefined || (!from && !to)) return always;
  const before = from && new Set(from.map(emptyAsNull));
  const after = to && new Set(to.map(emptyAsNull));
  const fits = (change: Change) =>
    (!before || before.has(change.from)) && (!after || after.has(change.to));
  return ({ event }) => event.changes.get(field)?.some(fits) === true;
}

const emptyAsNull = (value: Scalar | null) => (value === "" ? null : value);

export function compileCondition(condition: Condition): Predicate {
  switch (condition.kind) {
    case "comparison":
      return compileComparison(condition);
    case "not": {
      const inner = compileCondition(condition.of[0]);
      return (facts) => !inner(facts);
    }
    case "all":
      return every(condition.of.map(compileCondition));
    case "any":
      return some(condition.of.map(compileCondition));
  }
}

function every(parts: Predicate[]): Predicate {
  const [first, second] = parts as [Predicate, Predicate];
  if (parts.length === 1) return first;
  if (parts.length === 2) return (facts) => first(facts) && second(facts);
  return (facts) => {
    for (const part of parts) if (!part(facts)) return false;
    return true;
  };
}

function some(parts: Predicate[]): Predicate {
  if (parts.length === 1) return parts[0] as Predicate;
  return (facts) => {
    for (const part of parts) if (part(facts)) return true;
    return false;
  };
}

function compileComparison(comparison: Comparison): Predicate {
  const { field, op, value } = comparison;
  if (isChangeOperator(op)) {
    if (op === "changed") return ({ event }) => event.changes.has(field);
    const side = op === "changed_from" ? "from" : "to";
    return ({ event }) =>
      event.changes.get(field)?.some((change) => change[side] === value) === true;
  }
  const test: Test = OPERATORS[op].compile(value as never);
  if (Object.hasOwn(EVENT_FIELDS, field)) {
    const key = field as keyof typeof EVENT_FIELDS;
    return ({ event, nowMs }) => test(event[key], nowMs);
  }
  return ({ item, nowMs }) => test(item.get(field), nowMs);
}

/** What a comparison looks at, for who explains it. */
export function actualOf(
  { field, op }: Comparison,
  { item, event }: Facts,
): Value | undefined | readonly Change[] {
  if (isChangeOperator(op)) return event.changes.get(field) ?? [];
  if (Object.hasOwn(EVENT_FIELDS, field)) return event[field as keyof typeof EVENT_FIELDS];
  return item.get(field);
}
