/** Reads the actions of a rule: what the tracker is to do once it matched. */
import { CEILINGS } from "../schemas/vocabulary.ts";
import { readField } from "./condition.ts";
import { FIELD_NAMES, fieldNamed, kindOf } from "./fields.ts";
import { instantMs } from "./instant.ts";
import { NOUNS, readValue, type Value } from "./item.ts";
import {
  didYouMean,
  isKnownName,
  isObject,
  type Path,
  type Problems,
  refuseUnknownKeys,
  shown,
} from "./problem.ts";

export const ACTION_TYPES = [
  "set",
  "add",
  "remove",
  "comment",
  "notify",
  "webhook",
  "create",
  "archive",
] as const;
export type ActionType = (typeof ACTION_TYPES)[number];
/** Whom `notify` reaches beside the users that it names. */
export const ROLES = ["assignees", "creator", "actor", "subscribers"] as const;

/** As the author wrote it, fields by their own names. */
export interface Action {
  type: ActionType;
  field?: string;
  value?: Value;
  values?: string[] | Record<string, Value>;
  text?: string;
  users?: string[];
  roles?: (typeof ROLES)[number][];
  endpoint?: string;
  /** The items that it touches; absent is the event's own. */
  items?: string[];
}

/** The keys that each type has beside `type` and `items`. */
const KEYS: Record<ActionType, readonly (keyof Action)[]> = {
  set: ["field", "value"],
  add: ["field", "values"],
  remove: ["field", "values"],
  comment: ["text"],
  notify: ["users", "roles", "text"],
  webhook: ["endpoint"],
  create: ["values"],
  archive: [],
};
/** What the tracker alone decides. */
const READ_ONLY = new Set(["stateGroup", "createdAt", "updatedAt", "completedAt", "createdBy"]);
const MAX_TEXT = 5_000;
const MAX_USERS = 500;
const MAX_CREATED_FIELDS = 100;

/** The action, or undefined where it has a problem. */
export function readAction(sent: unknown, path: Path, problems: Problems): Action | undefined {
  const before = problems.listed.length;
  if (!isObject(sent)) {
    problems.add(path, `is ${shown(sent)}, and must be {type, …}`);
    return undefined;
  }
  if (!isKnownName(sent.type, ACTION_TYPES, [...path, "type"], problems)) return undefined;
  const { type } = sent;
  refuseUnknownKeys(sent, ["type", "items", ...KEYS[type]], path, problems);
  const action: Action = { type, ...PARTS[type](sent, path, problems) };
  if (sent.items !== undefined)
    action.items = readIds(sent.items, CEILINGS.items, [...path, "items"], problems);
  return problems.listed.length === before ? action : undefined;
}

type PartsReader = (
  sent: Record<string, unknown>,
  path: Path,
  problems: Problems,
) => Partial<Action>;

const PARTS: Record<ActionType, PartsReader> = {
  set: (sent, path, problems) => {
    const field = readWritable(sent.field, [...path, "field"], problems);
    if (field === undefined) return {};
    return { field, value: readSetValue(field, sent.value, [...path, "value"], problems) };
  },
  add: readSetChange,
  remove: readSetChange,
  comment: (sent, path, problems) => ({ text: readText(sent.text, [...path, "text"], problems) }),
  notify: readNotify,
  webhook: (sent, path, problems) => {
    const at = [...path, "endpoint"];
    const [endpoint] = readIds([sent.endpoint], 1, at, problems);
    return { endpoint };
  },
  create: readCreate,
  archive: () => ({}),
};

function readWritable(sent: unknown, path: Path, problems: Problems): string | undefined {
  const field = readField(sent, path, problems);
  if (field === undefined || !READ_ONLY.has(field)) return field;
  problems.add(path, `${field} can't be set: the tracker itself does`);
  return undefined;
}

/** A null empties the field. */
function readSetValue(field: string, sent: unknown, path: Path, problems: Problems): Value {
  const value = sent === undefined ? undefined : readValue(field, sent);
  const kind = kindOf(field);
  const isFit =
    value !== undefined &&
    (value === null ||
      kind === "any" ||
      ((kind === "ids" ? Array.isArray(value) : !Array.isArray(value)) &&
        ((kind !== "id" && kind !== "text") || typeof value === "string") &&
        (kind !== "date" || !Number.isNaN(instantMs(value)))));
  if (isFit) return value;
  problems.add(
    path,
    sent === undefined
      ? "is missing: what to set the field to, or null to empty it"
      : `is ${shown(sent)}, and ${field} holds ${NOUNS[kind]}`,
  );
  return null;
}

function readSetChange(
  sent: Record<string, unknown>,
  path: Path,
  problems: Problems,
): Partial<Action> {
  const field = readWritable(sent.field, [...path, "field"], problems);
  if (field !== undefined && kindOf(field) !== "ids" && kindOf(field) !== "any")
    problems.add([...path, "field"], `${field} holds ${NOUNS[kindOf(field)]}: use set`);
  return {
    ...(field !== undefined && { field }),
    values: readIds(sent.values, CEILINGS.idsPerField, [...path, "values"], problems),
  };
}

function readNotify(
  sent: Record<string, unknown>,
  path: Path,
  problems: Problems,
): Partial<Action> {
  const { users, roles } = sent;
  const action: Partial<Action> = { text: readText(sent.text, [...path, "text"], problems) };
  if (users !== undefined) action.users = readIds(users, MAX_USERS, [...path, "users"], problems);
  if (roles !== undefined) {
    const list = Array.isArray(roles) ? roles.slice(0, ROLES.length) : [roles];
    action.roles = list.filter((role, index) =>
      isKnownName(role, ROLES, [...path, "roles", index], problems),
    );
  }
  if (users === undefined && roles === undefined)
    problems.add(path, `notifies nobody: it must have users or roles (${ROLES.join(", ")})`);
  return action;
}

function readCreate(sent: Record<string, unknown>, at: Path, problems: Problems): Partial<Action> {
  const path = [...at, "values"];
  if (!isObject(sent.values) || Object.keys(sent.values).length > MAX_CREATED_FIELDS) {
    problems.add(path, `must be an object of at most ${MAX_CREATED_FIELDS} fields, with a name`);
    return {};
  }
  const values = Object.entries(sent.values).flatMap(([key, value]) => {
    const field = fieldNamed(key);
    if (field !== undefined)
      return [[field, readSetValue(field, value, [...path, key], problems)] as const];
    problems.add([...path, key], `there is no field ${shown(key)}${didYouMean(key, FIELD_NAMES)}`);
    return [];
  });
  const created = Object.fromEntries(values);
  if (typeof created.name !== "string")
    problems.add(path, "must have a name: what the new item is called");
  return { values: created };
}

function readText(sent: unknown, path: Path, problems: Problems): string {
  if (typeof sent === "string" && sent !== "" && sent.length <= MAX_TEXT) return sent;
  problems.add(path, `must be a text of 1 to ${MAX_TEXT} characters`);
  return "";
}

/** Each once, in the order given. */
function readIds(sent: unknown, most: number, path: Path, problems: Problems): string[] {
  if (!Array.isArray(sent) || sent.length === 0 || sent.length > most) {
    const length = Array.isArray(sent) ? `, and has ${sent.length}` : "";
    problems.add(path, `must be a list of 1 to ${most} ids${length}`);
    return [];
  }
  const bad = sent.findIndex(
    (id) => typeof id !== "string" || id === "" || id.length > CEILINGS.idLength,
  );
  if (bad === -1) return [...new Set(sent as string[])];
  problems.add(path, `must hold ids, and ${shown(sent[bad])} is none`);
  return [];
}
