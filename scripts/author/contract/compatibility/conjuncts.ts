/** A schema taken apart into what it demands, one demand at a time: a value is valid if it meets each. */
import { isAnnotation, placedAs, type Schema, textOf } from "./read-schema.ts";

export type Demand = Readonly<Record<string, unknown>>;

export interface Conjunct {
  demand: Demand;
  /** The keyword that a report names. */
  keyword: string;
  /** The part of the schema that it stands in. */
  origin: Schema;
}

/** Keywords that mean something together only. */
const GROUPS = [
  ["if", "then", "else"],
  ["contains", "minContains", "maxContains"],
  ["prefixItems", "items"],
] as const;

/** Nothing meets it. */
const NOTHING: Demand = { not: {} };

const taken = new WeakMap<object, Conjunct[]>();

export function conjunctsOf(schema: Schema): Conjunct[] {
  if (schema === true) return [];
  if (schema === false) return [{ demand: NOTHING, keyword: "", origin: schema }];
  const known = taken.get(schema);
  if (known) return known;
  const conjuncts = takenApart(schema);
  taken.set(schema, conjuncts);
  return conjuncts;
}

function takenApart(schema: Exclude<Schema, boolean>): Conjunct[] {
  const { allOf = [], properties, required = [], additionalProperties, ...rest } = schema;
  const made = (keyword: string, demand: Demand): Conjunct => ({ demand, keyword, origin: schema });
  // It depends on all that stands beside it.
  const beside = Object.keys(rest).find((key) => key.startsWith("unevaluated"));
  if (beside !== undefined) return [made(beside, schema)];
  const group = GROUPS.filter(([first]) => rest[first] !== undefined);
  const grouped = new Set<string>(group.flat());
  const whole = group.map((keys) =>
    made(
      keys[0],
      Object.fromEntries(keys.flatMap((key) => (key in rest ? [[key, rest[key]]] : []))),
    ),
  );
  const names = (properties ?? {}) as Record<string, Schema>;
  const { patternProperties } = rest;
  return [
    ...Object.keys(rest)
      .filter((key) => !grouped.has(key) && !isAnnotation(key) && key !== "then" && key !== "else")
      .map((key) => made(key, { [key]: rest[key] })),
    ...whole,
    ...Object.entries(names).map(([name, part]) =>
      made("properties", { properties: { [name]: part } }),
    ),
    ...(required as string[]).map((name) => made("required", { required: [name] })),
    ...(additionalProperties === undefined
      ? []
      : [
          made("additionalProperties", {
            additionalProperties,
            properties: Object.fromEntries(Object.keys(names).map((name) => [name, true])),
            ...(patternProperties !== undefined && { patternProperties }),
          }),
        ]),
    ...(allOf as Schema[]).flatMap(conjunctsOf),
  ];
}

/** A schema and all that its `allOf` holds, each without it. */
export function flat(schema: Schema): Schema[] {
  if (typeof schema === "boolean") return [schema];
  const { allOf, ...rest } = schema;
  if (allOf === undefined) return [schema];
  return [placedAs(rest, schema), ...(allOf as Schema[]).flatMap(flat)];
}

export const isSame = (one: Schema, other: Schema) =>
  one === other || textOf(one) === textOf(other);

/** Whether the demand stands there word for word. */
export const isStated = (known: Schema[], demand: Demand) =>
  known.some((schema) => conjunctsOf(schema).some((own) => isSame(own.demand, demand)));

export const list = (schema: Schema, key: string): Schema[] =>
  typeof schema === "object" ? ((schema[key] ?? []) as Schema[]) : [];

export const has = (schema: Schema, key: string) =>
  typeof schema === "object" && schema[key] !== undefined;

/** The same without some of its keywords. */
export function without(schema: Schema, ...keys: string[]): Schema {
  if (typeof schema === "boolean") return schema;
  const kept = Object.entries(schema).filter(([key]) => !keys.includes(key));
  return placedAs(Object.fromEntries(kept), schema);
}
