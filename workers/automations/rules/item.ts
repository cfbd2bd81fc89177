/** An item as rules see it: its fields by their own names, in a map, so that no name of a prototype is one of them. */
import { CEILINGS } from "../schemas/vocabulary.ts";
import type { Warnings } from "../warnings.ts";
import { fieldNamed, kindOf } from "./fields.ts";
import { isObject, type Path } from "./problem.ts";

export type Scalar = string | number | boolean;
/** Null is a field that is known to be empty; one that is not in the map is not known, which conditions treat alike. */
export type Value = Scalar | string[] | null;
export type Item = ReadonlyMap<string, Value>;

/**
 * Reads what was sent of an item. Of two names of one field the first counts; `custom` may be an object of its own.
 */
export function readItem(sent: object, path: Path, warnings: Warnings): Map<string, Value> {
  const item = new Map<string, Value>();
  for (const [key, value] of Object.entries(sent)) {
    if (key === "custom" && isObject(value)) {
      for (const [name, own] of Object.entries(value))
        put(item, `custom.${name}`, own, path, warnings);
    } else if (key !== "id") put(item, key, value, path, warnings);
  }
  return item;
}

function put(
  item: Map<string, Value>,
  key: string,
  sent: unknown,
  path: Path,
  warnings: Warnings,
): void {
  const field = fieldNamed(key);
  // Trackers send whole items: what rules can't name is no fault of theirs.
  if (field === undefined || item.has(field)) return;
  const value = readValue(field, sent);
  if (value !== undefined) item.set(field, value);
  else
    warnings.add(
      "bad_value",
      [...path, key],
      `is no value of a field that holds ${NOUNS[kindOf(field)]}; it counts as not known`,
    );
}

export const NOUNS = {
  text: "text",
  id: "an id",
  ids: "a list of ids",
  number: "a number",
  date: "an ISO-8601 date",
  boolean: "true or false",
  any: "text, a number, true, false or a list of ids",
} as const;

/** The value of a field, where it is one: "" is none, a number in text is a number where the field holds numbers. */
export function readValue(field: string, sent: unknown): Value | undefined {
  if (sent === null || sent === "") return null;
  if (typeof sent === "string") {
    if (sent.length > CEILINGS.textLength) return undefined;
    switch (kindOf(field)) {
      case "number":
        return sent.trim() !== "" && Number.isFinite(Number(sent)) ? Number(sent) : sent;
      case "ids":
        return [sent];
      default:
        return sent;
    }
  }
  if (typeof sent === "number") return Number.isFinite(sent) ? sent : undefined;
  if (typeof sent === "boolean") return sent;
  if (!Array.isArray(sent) || sent.length > CEILINGS.idsPerField) return undefined;
  const isIds = sent.every(
    (id) => typeof id === "string" && id !== "" && id.length <= CEILINGS.idLength,
  );
  if (!isIds || (kindOf(field) !== "ids" && kindOf(field) !== "any")) return undefined;
  return [...new Set(sent as string[])];
}
