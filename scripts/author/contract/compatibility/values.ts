/** Which kinds of values schemas leave open, and which values, where they are few enough to name. */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { conjunctsOf, flat, isStated, list } from "./conjuncts.ts";
import { ofField, said } from "./places.ts";
import { type Schema, textOf } from "./read-schema.ts";

const TYPES = ["null", "boolean", "number", "string", "array", "object"] as const;
export type Type = (typeof TYPES)[number];

export function typeOfValue(value: unknown): Type {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : (typeof value as Type);
}

/** The types that a value may have; an integer is a number. */
export function typesOf(known: Schema[]): Set<Type> {
  const open = new Set<Type>(TYPES);
  for (const schema of known)
    for (const type of [...open]) if (!mayBe(schema, type)) open.delete(type);
  return open;
}

function mayBe(schema: Schema, type: Type): boolean {
  if (typeof schema === "boolean") return schema;
  const { type: own, enum: values, const: only, not } = schema;
  const names = own === undefined ? undefined : ([own].flat() as string[]);
  if (names && !names.includes(type) && !(type === "number" && names.includes("integer")))
    return false;
  if (values && !(values as unknown[]).some((value) => typeOfValue(value) === type)) return false;
  if (only !== undefined && typeOfValue(only) !== type) return false;
  if (not !== undefined && isWholeType(not as Schema, type)) return false;
  for (const key of ["anyOf", "oneOf"]) {
    const parts = list(schema, key);
    if (parts.length > 0 && !parts.some((part) => mayBe(part, type))) return false;
  }
  return list(schema, "allOf").every((part) => mayBe(part, type));
}

/** Whether a schema takes every value of the type. */
function isWholeType(schema: Schema, type: Type): boolean {
  if (typeof schema === "boolean") return schema;
  const demands = conjunctsOf(schema);
  return demands.every(({ demand, keyword }) => {
    if (keyword === "type") return ([demand.type].flat() as string[]).includes(type);
    return type === "null" && (demand.const === null || isOneNull(demand.enum));
  });
}

const isOneNull = (values: unknown) => Array.isArray(values) && values.includes(null);

const ajv = new Ajv2020({ strict: false, validateFormats: false });
const compiled = new Map<string, ValidateFunction>();

/** @throws where a schema is none. */
export function isValid(schema: Schema, value: unknown): boolean {
  const text = textOf(schema);
  const validate = compiled.get(text) ?? ajv.compile(JSON.parse(text));
  compiled.set(text, validate);
  return validate(value) as boolean;
}

/** Whether `isValid` knows all that a schema says. */
export const isCheckable = (schema: Schema) => !/"(?:format|recursion)":/.test(textOf(schema));

/** All values that there can be, where an enumeration or the types name them. */
export function valuesOf(known: Schema[]): unknown[] | undefined {
  const [only] = said(known, "const");
  const [some] = said(known, "enum") as unknown[][];
  const values = only !== undefined ? [only] : (some ?? valuesOfTypes(typesOf(known)));
  return values?.filter((value) => known.every((schema) => isValid(schema, value)));
}

function valuesOfTypes(types: Set<Type>): unknown[] | undefined {
  const few: Partial<Record<Type, unknown[]>> = { null: [null], boolean: [true, false] };
  const lists = [...types].map((type) => few[type]);
  return lists.every((values) => values !== undefined) ? lists.flat() : undefined;
}

/** Whether it is plain that no value is valid; false where it is not plain. */
export function isImpossible(known: Schema[]): boolean {
  if (typesOf(known).size === 0) return true;
  if (valuesOf(known)?.length === 0) return true;
  const isDenied = (not: Schema) =>
    flat(not).every((part) => conjunctsOf(part).every(({ demand }) => isStated(known, demand)));
  if ((said(known, "not") as Schema[]).some(isDenied)) return true;
  const isObject = [...typesOf(known)].every((type) => type === "object");
  return (
    isObject &&
    (said(known, "required") as string[][])
      .flat()
      .some((name) => isImpossible(ofField(known, name).flatMap(flat)))
  );
}
