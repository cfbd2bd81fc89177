/** Every field of a schema as a row: its path, its spellings, its type and what it is. */
import type { JsonSchema } from "../../../shared/engine/published-schema.ts";

export interface Row {
  path: string;
  also: string[];
  type: string;
  isRequired: boolean;
  description: string;
  /** All values that it may have, where the type says no more than that there is a list. */
  values: unknown[];
  /** Bounds of it and of its elements, in words. */
  bounds: string[];
}

export function fieldRows(schema: JsonSchema): Row[] {
  const defs = (schema.$defs ?? {}) as Record<string, JsonSchema>;
  return rowsOf(schema, "", { defs, told: new Map() });
}

interface Table {
  defs: Record<string, JsonSchema>;
  /** Where each definition is told. */
  told: Map<JsonSchema, string>;
}

function rowsOf(schema: JsonSchema, path: string, of: Table): Row[] {
  const part = partOf(schema, of);
  if (part.items) return rowsOf(part.items as JsonSchema, `${path}[]`, of);
  const values = part.additionalProperties as JsonSchema | undefined;
  const properties = Object.entries((part.properties ?? {}) as Record<string, JsonSchema>);
  if (properties.length === 0)
    return values && typeof values === "object" ? rowsOf(values, `${path}.<id>`, of) : [];
  of.told.set(part, path);
  const required = (part.required ?? []) as string[];
  return properties.flatMap(([key, field]) => {
    const at = path === "" ? key : `${path}.${key}`;
    const told = of.told.get(elementOf(field, of));
    const also = told === undefined ? "" : ` Its fields are those of \`${told}\`.`;
    const row: Row = {
      path: at,
      also: (field.spellings ?? []) as string[],
      type: typeOf(field, of),
      isRequired: required.includes(key),
      description: `${field.description ?? ""}${also}`,
      values: valuesOf(field, of),
      bounds: boundsOf(field, of),
    };
    return [row, ...(told === undefined ? rowsOf(field, at, of) : [])];
  });
}

function elementOf(schema: JsonSchema, of: Table): JsonSchema {
  const part = partOf(schema, of);
  return part.items ? elementOf(part.items as JsonSchema, of) : part;
}

/** What is meant: a definition, and the one that is not null of a choice of two. */
function partOf(schema: JsonSchema, of: Table): JsonSchema {
  const name = typeof schema.$ref === "string" ? schema.$ref.split("/").at(-1) : undefined;
  if (name !== undefined) return partOf(of.defs[name] as JsonSchema, of);
  const parts = ((schema.anyOf ?? []) as JsonSchema[]).filter(({ type }) => type !== "null");
  return parts.length === 1 ? partOf(parts[0] as JsonSchema, of) : schema;
}

function typeOf(schema: JsonSchema, of: Table): string {
  const { isJsonTaken } = schema;
  const { type, anyOf, items, const: only } = schema.$ref ? partOf(schema, of) : schema;
  const values = schema.enum as unknown[] | undefined;
  const text = () => {
    if (anyOf && isWithinItself(schema, of)) return "any JSON";
    if (only !== undefined) return JSON.stringify(only);
    if (values)
      return values.length > MOST_VALUES
        ? "one of a list"
        : values.map((value) => JSON.stringify(value)).join(", ");
    if (anyOf) return (anyOf as JsonSchema[]).map((one) => typeOf(one, of)).join(" or ");
    if (items) return `list of ${typeOf(items as JsonSchema, of)}`;
    return type === undefined ? "any" : [type].flat().join(" or ");
  };
  return `${text()}${isJsonTaken ? ", or JSON of it in a string" : ""}`;
}

/** A choice that is one of its own: JSON's. */
const isWithinItself = ({ $ref }: JsonSchema, of: Table) =>
  typeof $ref === "string" && JSON.stringify(partOf({ $ref }, of)).includes(JSON.stringify($ref));

const MOST_VALUES = 6;

function valuesOf(field: JsonSchema, of: Table): unknown[] {
  const values = (elementOf(field, of).enum ?? []) as unknown[];
  return values.length > MOST_VALUES ? values : [];
}

const number = (limit: number) => limit.toLocaleString("en-US");
const many = (limit: number, what: string) => `${number(limit)} ${what}${limit === 1 ? "" : "s"}`;

/** What each bound is called; of a number that nobody would send the bound is not told. */
const BOUNDS: [keyword: string, words: (limit: number) => string][] = [
  ["minLength", (limit) => `at least ${many(limit, "character")}`],
  ["maxLength", (limit) => `at most ${many(limit, "character")}`],
  ["minItems", (limit) => `at least ${many(limit, "element")}`],
  ["maxItems", (limit) => `at most ${many(limit, "element")}`],
  ["maxProperties", (limit) => `at most ${many(limit, "key")}`],
  ["minimum", (limit) => `from ${number(limit)}`],
  ["maximum", (limit) => `up to ${number(limit)}`],
  ["exclusiveMinimum", (limit) => `above ${number(limit)}`],
  ["exclusiveMaximum", (limit) => `below ${number(limit)}`],
];

function boundsOf(field: JsonSchema, of: Table): string[] {
  const part = partOf(field, of);
  // Where a value may be anything, its bounds say little.
  if (part.type === undefined) return [];
  const own = BOUNDS.flatMap(([keyword, words]) => {
    const limit = part[keyword];
    if (typeof limit !== "number" || Math.abs(limit) >= Number.MAX_SAFE_INTEGER) return [];
    if (keyword === "minLength" && limit === 1) return ["not empty"];
    return [words(limit)];
  });
  const elements = part.items ? boundsOf(part.items as JsonSchema, of) : [];
  return [...own, ...elements.map((words) => `each ${words}`)];
}
