/** Reads a rule as an author wrote it, and says all that is wrong with it at once. */
import { CEILINGS, EVENT_TYPES, type EventType } from "../schemas/vocabulary.ts";
import { type Action, readAction } from "./action.ts";
import { type Condition, readCondition, readField } from "./condition.ts";
import type { Scalar } from "./item.ts";
import { isKnownName, isObject, type Path, Problems, refuseUnknownKeys, shown } from "./problem.ts";

/** Sets off a rule. */
export interface Trigger {
  on: EventType[];
  /** One of them must have changed; empty is any change, or none. */
  fields: string[];
  /** Of the one field: values before and after; undefined is any. */
  from: (Scalar | null)[] | undefined;
  to: (Scalar | null)[] | undefined;
}

export interface Rule {
  id: string;
  isEnabled: boolean;
  /** Empty is every project. */
  projects: string[];
  trigger: Trigger;
  /** Undefined always holds. */
  condition: Condition | undefined;
  actions: Action[];
}

export type RuleReading = { rule: Rule; problems?: never } | { problems: Problems; rule?: never };

const RULE_KEYS = ["id", "name", "enabled", "scope", "trigger", "conditions", "actions"];
const TRIGGER_KEYS = ["on", "fields", "from", "to"];
const MAX_PROJECTS = 500;
const MAX_TRIGGER_FIELDS = 50;

/** @param path of the rule, which its problems begin with. */
export function readRule(sent: unknown, path: Path): RuleReading {
  const problems = new Problems();
  if (!isObject(sent)) {
    problems.add(path, `is ${shown(sent)}, and must be {id, trigger, conditions, actions}`);
    return { problems };
  }
  refuseUnknownKeys(sent, RULE_KEYS, path, problems);
  const { id, name, enabled = true } = sent;
  if (typeof id !== "string" || id === "" || id.length > CEILINGS.idLength || id.includes("\0"))
    problems.add([...path, "id"], `must be a text of 1 to ${CEILINGS.idLength} characters`);
  if (name !== undefined && (typeof name !== "string" || name.length > CEILINGS.idLength))
    problems.add([...path, "name"], `must be a text of at most ${CEILINGS.idLength} characters`);
  if (typeof enabled !== "boolean") problems.add([...path, "enabled"], "must be true or false");
  const projects = readScope(sent.scope, [...path, "scope"], problems);
  const trigger = readTrigger(sent.trigger, [...path, "trigger"], problems);
  const isConditional = sent.conditions !== undefined && sent.conditions !== null;
  const condition = isConditional
    ? readCondition(sent.conditions, [...path, "conditions"], problems)
    : undefined;
  const actions = readActions(sent.actions, [...path, "actions"], problems);
  if (trigger === undefined || !problems.isEmpty) return { problems };
  return {
    rule: { id: id as string, isEnabled: enabled !== false, projects, trigger, condition, actions },
  };
}

function readScope(sent: unknown, path: Path, problems: Problems): string[] {
  if (sent === undefined || sent === null) return [];
  if (!isObject(sent)) {
    problems.add(path, `is ${shown(sent)}, and must be {projects: […]}`);
    return [];
  }
  refuseUnknownKeys(sent, ["projects"], path, problems);
  const { projects = [] } = sent;
  const isList = Array.isArray(projects) && projects.length <= MAX_PROJECTS;
  if (isList && projects.every((id) => typeof id === "string" && id !== "")) return projects;
  problems.add([...path, "projects"], `must be a list of at most ${MAX_PROJECTS} ids`);
  return [];
}

function readTrigger(sent: unknown, path: Path, problems: Problems): Trigger | undefined {
  if (!isObject(sent)) {
    problems.add(path, `is ${sent === undefined ? "missing" : shown(sent)}, and must be {on: …}`);
    return undefined;
  }
  refuseUnknownKeys(sent, TRIGGER_KEYS, path, problems);
  const types = Array.isArray(sent.on) ? sent.on.slice(0, EVENT_TYPES.length) : [sent.on];
  const on = types.filter((type) => isKnownName(type, EVENT_TYPES, [...path, "on"], problems));
  if (types.length === 0) problems.add([...path, "on"], "must name an event");
  const fields = readFields(sent.fields, [...path, "fields"], problems);
  const from = readValues(sent.from, [...path, "from"], problems);
  const to = readValues(sent.to, [...path, "to"], problems);
  if ((from || to) && fields.length !== 1)
    problems.add(
      [...path, from ? "from" : "to"],
      "needs exactly one of fields, which it is the value of",
    );
  return { on, fields, from, to };
}

function readFields(sent: unknown, path: Path, problems: Problems): string[] {
  if (sent === undefined || sent === null) return [];
  if (!Array.isArray(sent) || sent.length > MAX_TRIGGER_FIELDS) {
    problems.add(path, `must be a list of at most ${MAX_TRIGGER_FIELDS} fields`);
    return [];
  }
  const fields = sent.map((field, index) => readField(field, [...path, index], problems));
  return [...new Set(fields.filter((field) => field !== undefined))];
}

function readValues(sent: unknown, path: Path, problems: Problems): (Scalar | null)[] | undefined {
  if (sent === undefined) return undefined;
  const values = Array.isArray(sent) ? sent : [sent];
  const isValue = (value: unknown) =>
    value === null ||
    typeof value === "boolean" ||
    typeof value === "string" ||
    (typeof value === "number" && Number.isFinite(value));
  const isFit = values.length > 0 && values.length <= CEILINGS.valuesPerCondition;
  if (isFit && values.every(isValue)) return values;
  problems.add(
    path,
    `must be a value, or a list of 1 to ${CEILINGS.valuesPerCondition}; null is none`,
  );
  return undefined;
}

function readActions(sent: unknown, path: Path, problems: Problems): Action[] {
  if (!Array.isArray(sent) || sent.length === 0) {
    problems.add(path, "must be a list of one action or more");
    return [];
  }
  if (sent.length > CEILINGS.steps) {
    problems.add(path, `has ${sent.length} actions, of which a rule may have ${CEILINGS.steps}`);
    return [];
  }
  const actions = sent.flatMap(
    (action, index) => readAction(action, [...path, index], problems) ?? [],
  );
  const items = actions.reduce((sum, action) => sum + (action.items?.length ?? 1), 0);
  if (items > CEILINGS.items)
    problems.add(
      path,
      `touch ${items} items together, of which a rule may touch ${CEILINGS.items}`,
    );
  const length = problems.isEmpty ? JSON.stringify(actions).length : 0;
  if (length > CEILINGS.actionsLength)
    problems.add(
      path,
      `are ${length} characters as JSON, of which a rule may have ${CEILINGS.actionsLength}`,
    );
  return actions;
}
