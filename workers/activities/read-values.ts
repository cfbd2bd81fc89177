/** Reads what callers sent, value by value: what has no usable type becomes a warning, not an error. */
import type { z } from "zod";
import type { WarningCode } from "./activity-entries.ts";
import { isId, KNOWN, type LookupKind, MAX_ID_LENGTH, MAX_NAME_LENGTH } from "./change-set.ts";
import { type Recording, warn } from "./recording.ts";

/** Text, or null when absent; undefined, after a warning, when it is no text at all. */
export function readText(
  recording: Recording,
  field: string,
  value: unknown,
): string | null | undefined {
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  warn(recording, "invalid_value", field, `expected text, got ${kindOf(value)}`);
  return undefined;
}

/** A text that many entries may repeat. */
export function readName(
  recording: Recording,
  field: string,
  value: unknown,
): string | null | undefined {
  const name = readText(recording, field, value);
  if (!name || name.length <= MAX_NAME_LENGTH) return name;
  const message = `expected at most ${MAX_NAME_LENGTH} characters, got ${name.length}`;
  warn(recording, "invalid_value", field, message);
  return undefined;
}

/** What was read of a value; `absent` where none was sent, while a null that was sent stays null. */
export const sentOr = (sent: unknown, read: string | null | undefined, absent: string) =>
  sent === undefined ? absent : (read ?? null);

/** An id, or null when absent or empty; undefined, after a warning, when it is no id. */
export function readId(
  recording: Recording,
  field: string,
  value: unknown,
): string | null | undefined {
  if (value === undefined || value === null || value === "") return null;
  if (typeof value === "string" && isId(value)) return value;
  const got = typeof value === "string" ? `${value.length} characters` : kindOf(value);
  warn(
    recording,
    "invalid_value",
    field,
    `expected an id of at most ${MAX_ID_LENGTH} characters without NUL, got ${got}`,
  );
  return undefined;
}

/** The distinct ids of a list; an absent list is empty. Elements that are no ids are left out with a warning. */
export function readIds(
  recording: Recording,
  field: string,
  value: unknown,
): Set<string> | undefined {
  const ids = new Set<string>();
  const list = readList(recording, field, value);
  list?.forEach((element, index) => {
    const id = readId(recording, `${field}[${index}]`, element);
    if (id) ids.add(id);
    else if (id === null) warn(recording, "invalid_value", `${field}[${index}]`, "an empty id");
  });
  return list && ids;
}

/** The elements of a list, none when it is absent; undefined, after a warning, when it is no list. */
export function readList(
  recording: Recording,
  field: string,
  value: unknown,
): unknown[] | undefined {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  warn(recording, "invalid_value", field, `expected a list, got ${kindOf(value)}`);
  return undefined;
}

const UNKNOWN: Record<LookupKind, WarningCode> = {
  states: "unknown_state",
  labels: "unknown_label",
  users: "unknown_user",
  estimates: "unknown_estimate",
  issues: "unknown_issue",
  cycles: "unknown_cycle",
  modules: "unknown_module",
};

/** What the look-ups know of an id; undefined when they don't know it, or what they have is no name. */
export function lookUp<Kind extends LookupKind>(
  { change }: Pick<Recording, "change">,
  kind: Kind,
  id: string,
): z.output<(typeof KNOWN)[Kind]> | undefined {
  const byId: Record<string, unknown> | undefined = change.lookups[kind];
  // An own key, since ids are the caller's words: "constructor" is no label.
  if (byId === undefined || !Object.hasOwn(byId, id)) return undefined;
  const { data } = KNOWN[kind].safeParse(byId[id]);
  return data as z.output<(typeof KNOWN)[Kind]> | undefined;
}

/** The name of an id; null, after a warning, when it is not known. */
export function nameOf(
  recording: Recording,
  kind: LookupKind,
  id: string,
  field: string,
): string | null {
  const known = lookUp(recording, kind, id);
  if (known) return known.name;
  warn(recording, UNKNOWN[kind], field, `lookups.${kind} has no ${JSON.stringify(id)}`);
  return null;
}

export function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a value of type ${typeof value}`;
}
