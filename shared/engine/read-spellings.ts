/** Brings what a caller sent into the schema's own spelling; what is in it already costs a look at its keys. */
import { z } from "zod";
import type { Field, ObjectPlan, Plan } from "./spelling-plan.ts";

/** Warnings of one input. */
const MAX_WARNINGS = 20;
/** Longer keys are nobody's slip, shorter ones are one edit away from too much. */
const SHORTEST_KEY = 4;
const LONGEST_KEY = 64;
/** Unknown keys of one input that are looked at: an input can be made of nothing else. */
const MAX_UNKNOWN_KEYS = 200;
const MAX_PATH_LENGTH = 200;

/** A key that is likely to be a mistake; everything else was used. */
export const KeyWarning = z.object({
  code: z.enum(["unknown_key", "conflicting_keys"]),
  path: z.string(),
  message: z.string(),
});
export type KeyWarning = z.output<typeof KeyWarning>;
type Sent = Record<string, unknown>;

interface Reading {
  context: z.RefinementCtx;
  /** Whether anybody reads the warnings. */
  isTold: boolean;
  path: (string | number)[];
  warnings: KeyWarning[];
  unknownKeys: number;
}

export function readSent(
  plan: Plan,
  sent: unknown,
  context: z.RefinementCtx,
  isTold: boolean,
): unknown {
  const reading: Reading = { context, isTold, path: [], warnings: [], unknownKeys: 0 };
  const read = readPart(plan, sent, reading);
  if (reading.warnings.length === 0 || !isObject(read)) return read;
  return { ...read, keyWarnings: reading.warnings };
}

function readPart(plan: Plan, sent: unknown, reading: Reading): unknown {
  const value = plan.isJsonTaken && typeof sent === "string" ? parsed(plan, sent, reading) : sent;
  switch (plan.kind) {
    case "value":
      return value;
    case "list":
      return Array.isArray(value) ? readList(plan.element, value, reading) : value;
    case "record":
      return isObject(value) ? readRecord(plan.value, value, reading) : value;
    case "object":
      return isObject(value) ? readObject(plan, value, reading) : value;
  }
}

function parsed({ isChecked }: Plan, text: string, { context, path }: Reading): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const message = "is a string that is not JSON";
    if (isChecked) context.addIssue({ code: "custom", path: [...path], message });
    return text;
  }
}

function readObject(plan: ObjectPlan, sent: Sent, reading: Reading): Sent {
  const names = Object.keys(sent);
  const own = isOwnSpelling(plan, sent, names) ? sent : respelt(plan, sent, names, reading);
  let read = own;
  for (const [key, part] of plan.nested) {
    const value = own[key];
    if (value === undefined || value === null) continue;
    const inner = readAt(key, part, value, reading);
    if (inner === value) continue;
    if (read === sent) read = { ...sent };
    // Null is what JSON in a string can say.
    read[key] = inner === null && plan.fields.get(key)?.isNullAbsent ? undefined : inner;
  }
  return read;
}

function isOwnSpelling({ fields }: ObjectPlan, sent: Sent, names: string[]): boolean {
  for (const name of names) {
    const field = fields.get(name);
    if (field?.key !== name || (field.isNullAbsent && sent[name] === null)) return false;
  }
  return true;
}

/** A copy with the schema's own keys, and those alone. */
function respelt(plan: ObjectPlan, sent: Sent, names: string[], reading: Reading): Sent {
  const own: Sent = {};
  let several: Set<Field> | undefined;
  for (const name of names) {
    const field = plan.fields.get(name);
    if (field === undefined) {
      doubt(plan, name, reading);
      continue;
    }
    const value = sent[name];
    if (value === undefined || (value === null && field.isNullAbsent)) continue;
    if (Object.hasOwn(own, field.key)) {
      several ??= new Set();
      several.add(field);
    } else own[field.key] = value;
  }
  for (const field of several ?? []) own[field.key] = chosen(field, sent, reading);
  return own;
}

/** Of several spellings the first with a value counts, and null only where none has one. */
function chosen({ key, spellings }: Field, sent: Sent, reading: Reading): unknown {
  const values = spellings.flatMap((name) =>
    Object.hasOwn(sent, name) && sent[name] !== undefined ? [sent[name]] : [],
  );
  if (values.some((value) => !isSame(value, values[0])))
    warn(reading, "conflicting_keys", key, "two spellings of this key disagree");
  return values.find((value) => value !== null) ?? null;
}

function isSame(one: unknown, other: unknown): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return one === other;
  return one.length === other.length && one.every((element, index) => element === other[index]);
}

function doubt(plan: ObjectPlan, name: string, reading: Reading): void {
  if (!reading.isTold || name.length < SHORTEST_KEY || name.length > LONGEST_KEY) return;
  if (++reading.unknownKeys > MAX_UNKNOWN_KEYS) return;
  const near = plan.nearest(name);
  if (near !== undefined)
    warn(reading, "unknown_key", name, `is no key here; did you mean ${near}?`);
}

function warn(reading: Reading, code: KeyWarning["code"], key: string, message: string): void {
  if (reading.warnings.length >= MAX_WARNINGS) return;
  reading.warnings.push({ code, path: pathText([...reading.path, key]), message });
}

/** Bounded, since the keys of records are the caller's words. */
const pathText = (path: (string | number)[]) =>
  path
    .map((key, at) => (typeof key === "number" ? `[${key}]` : at ? `.${key}` : key))
    .join("")
    .slice(0, MAX_PATH_LENGTH);

function readList(plan: Plan, sent: unknown[], reading: Reading): unknown[] {
  let read = sent;
  for (let at = 0; at < sent.length; at += 1) {
    const element = readAt(at, plan, sent[at], reading);
    if (element === sent[at]) continue;
    if (read === sent) read = [...sent];
    read[at] = element;
  }
  return read;
}

function readRecord(plan: Plan, sent: Sent, reading: Reading): Sent {
  const entries = Object.entries(sent);
  const read = entries.map(([key, value]) => [key, readAt(key, plan, value, reading)] as const);
  // Defines even a key like __proto__ as its own.
  return read.some(([, value], at) => value !== entries[at]?.[1]) ? Object.fromEntries(read) : sent;
}

function readAt(key: string | number, plan: Plan, value: unknown, reading: Reading): unknown {
  reading.path.push(key);
  const read = readPart(plan, value, reading);
  reading.path.pop();
  return read;
}

const isObject = (value: unknown): value is Sent =>
  typeof value === "object" && value !== null && !Array.isArray(value);
