/** The fields of an item that rules may name, what kind of value each has, and what else they are called. */

/** `id`: one id or word; `ids`: a set of them; `date`: a calendar day or an instant, both ISO-8601. */
export type Kind = "text" | "id" | "ids" | "number" | "date" | "boolean" | "any";

export const FIELDS = {
  name: "text",
  description: "text",
  state: "id",
  stateGroup: "id",
  priority: "id",
  parent: "id",
  labels: "ids",
  assignees: "ids",
  cycle: "id",
  modules: "ids",
  points: "number",
  startDate: "date",
  dueDate: "date",
  createdAt: "date",
  updatedAt: "date",
  completedAt: "date",
  archivedAt: "date",
  createdBy: "id",
  type: "id",
  project: "id",
} as const satisfies Record<string, Kind>;
export type FieldName = keyof typeof FIELDS;
export const FIELD_NAMES = Object.keys(FIELDS) as FieldName[];

/** What a rule reads of the event rather than of the item. */
export const EVENT_FIELDS = { actor: "id", comment: "text" } as const satisfies Record<
  string,
  Kind
>;

/** Fields of a tracker's own begin with it. */
export const CUSTOM = "custom.";
const MAX_FIELD_LENGTH = 100;

/** Plane's names, as its messages and activities have them. */
const ALIASES: Record<string, FieldName> = {
  state_id: "state",
  state_group: "stateGroup",
  parent_id: "parent",
  label_ids: "labels",
  label: "labels",
  assignee_ids: "assignees",
  cycle_id: "cycle",
  cycles: "cycle",
  module_ids: "modules",
  estimate_point: "points",
  estimate_points: "points",
  start_date: "startDate",
  target_date: "dueDate",
  targetDate: "dueDate",
  due_date: "dueDate",
  created_at: "createdAt",
  updated_at: "updatedAt",
  completed_at: "completedAt",
  archived_at: "archivedAt",
  created_by: "createdBy",
  type_id: "type",
  project_id: "project",
};

/** The field's own name; undefined where there is no such field. */
export function fieldNamed(name: string): string | undefined {
  if (Object.hasOwn(FIELDS, name)) return name;
  if (Object.hasOwn(ALIASES, name)) return ALIASES[name];
  const isCustom =
    name.startsWith(CUSTOM) && name.length > CUSTOM.length && name.length <= MAX_FIELD_LENGTH;
  return isCustom ? name : undefined;
}

/** What kind of value a field has, by its own name, that of the event's included. */
export function kindOf(field: string): Kind {
  if (Object.hasOwn(FIELDS, field)) return FIELDS[field as FieldName];
  if (Object.hasOwn(EVENT_FIELDS, field)) return EVENT_FIELDS[field as keyof typeof EVENT_FIELDS];
  return "any";
}
