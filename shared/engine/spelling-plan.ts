/** What there is to know of a schema's keys to read them in any spelling, found once, while its worker is defined. */
import type { z } from "zod";
import { nearest } from "./nearest.ts";
import { shapeOf, WIRE } from "./spelling-marks.ts";

type Def = Record<string, unknown> & { type: string };

/** How a value of a schema is read; undefined where there is nothing in it to be read. */
export type Plan = { isJsonTaken: boolean; isChecked: boolean } & (
  | { kind: "value" }
  | { kind: "list"; element: Plan }
  | { kind: "record"; value: Plan }
  | ObjectPlan
);

export interface ObjectPlan {
  kind: "object";
  /** Each field under all of its spellings. */
  fields: ReadonlyMap<string, Field>;
  /** Fields whose values are read in turn. */
  nested: readonly (readonly [key: string, plan: Plan])[];
  /** The known spelling that is one edit away from an unknown key. */
  nearest(key: string): string | undefined;
}

export interface Field {
  key: string;
  spellings: readonly string[];
  /** Null says the same as nothing. */
  isNullAbsent: boolean;
}

export const snakeCase = (key: string) =>
  key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** All names of a field, in the order in which they count. */
export const spellingsOf = (key: string, schema: z.ZodType): readonly string[] => [
  ...new Set([key, snakeCase(key), ...(WIRE.get(schema)?.alsoAs ?? [])]),
];

/** Whether null says no more of a field than its absence, which its schema allows. */
export const isNullAbsent = (schema: z.ZodType) => isAbsentTaken(schema) && !isNullTaken(schema);

// By what they are made of: to try each with a value would compile it, and a start has to wait for that.
function isAbsentTaken(schema: z.ZodType): boolean {
  const def = schema._zod.def as unknown as Def;
  switch (def.type) {
    case "optional":
    case "default":
    case "prefault":
    case "catch":
    case "unknown":
    case "any":
      return true;
    case "nullable":
    case "readonly":
      return isAbsentTaken(def.innerType as z.ZodType);
    default:
      return false;
  }
}

function isNullTaken(schema: z.ZodType): boolean {
  const def = schema._zod.def as unknown as Def;
  switch (def.type) {
    case "optional":
    case "default":
    case "prefault":
    case "nonoptional":
    case "readonly":
      return isNullTaken(def.innerType as z.ZodType);
    case "union":
      return (def.options as z.ZodType[]).some(isNullTaken);
    case "literal":
      return (def.values as unknown[]).includes(null);
    case "pipe":
      return isNullTaken(def.in as z.ZodType);
    default:
      return !NEVER_NULL.has(def.type);
  }
}

/** All others may take null, as far as they tell. */
const NEVER_NULL: ReadonlySet<string> = new Set([
  "string",
  "number",
  "int",
  "boolean",
  "bigint",
  "date",
  "enum",
  "object",
  "array",
  "tuple",
  "record",
  "map",
  "set",
]);

export function planOf(schema: z.ZodObject): Plan {
  return partOf(schema, true) as Plan;
}

/** @param isChecked whether what does not fit is refused; within a shape it only is not used. */
function partOf(schema: z.ZodType, isChecked: boolean): Plan | undefined {
  const { isJsonTaken = false, isReadByHandler } = WIRE.get(schema) ?? {};
  const shape = shapeOf(schema);
  if (isReadByHandler) return undefined;
  const inner = shape ? partOf(shape, false) : innerOf(schema, isChecked);
  if (inner) return { ...inner, isChecked, isJsonTaken: isJsonTaken || inner.isJsonTaken };
  return isJsonTaken ? { kind: "value", isJsonTaken, isChecked } : undefined;
}

function innerOf(schema: z.ZodType, isChecked: boolean): Plan | undefined {
  const def = schema._zod.def as unknown as Def;
  const part = (key: string) => partOf(def[key] as z.ZodType, isChecked);
  const common = { isChecked, isJsonTaken: false };
  switch (def.type) {
    case "object":
      return { ...objectOf(def.shape as Record<string, z.ZodType>, isChecked), ...common };
    case "array": {
      const element = part("element");
      return element && { kind: "list", element, ...common };
    }
    case "record": {
      const value = part("valueType");
      // Names by id, thousands of them: where no key has a second spelling they aren't looked through.
      return value && !isIdle(value) ? { kind: "record", value, ...common } : undefined;
    }
    case "optional":
    case "nullable":
    case "default":
    case "prefault":
    case "catch":
    case "nonoptional":
    case "readonly":
      return part("innerType");
    default:
      return undefined;
  }
}

function objectOf(shape: Record<string, z.ZodType>, isChecked: boolean): ObjectPlan {
  const fields = new Map<string, Field>();
  const nested: [string, Plan][] = [];
  for (const [key, schema] of Object.entries(shape)) {
    if (key === "keyWarnings") continue;
    const spellings = spellingsOf(key, schema);
    const field = { key, spellings, isNullAbsent: isNullAbsent(schema) };
    for (const spelling of spellings) fields.set(spelling, field);
    const plan = partOf(schema, isChecked);
    if (plan) nested.push([key, plan]);
  }
  return { kind: "object", fields, nested, nearest: remembering([...fields.keys()]) };
}

/** Keys of which the nearest is remembered: whoever sends an odd one sends it again and again. */
const REMEMBERED_KEYS = 1_000;

function remembering(known: string[]): (key: string) => string | undefined {
  const found = new Map<string, string | undefined>();
  return (key) => {
    if (found.has(key)) return found.get(key);
    const near = nearest(key, known, 1);
    if (found.size < REMEMBERED_KEYS) found.set(key, near);
    return near;
  };
}

const isIdle = (plan: Plan) =>
  plan.kind === "object" &&
  !plan.isJsonTaken &&
  plan.nested.length === 0 &&
  [...plan.fields.values()].every(({ spellings }) => spellings.length === 1);
