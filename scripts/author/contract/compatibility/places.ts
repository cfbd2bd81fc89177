/** What a schema says of one place of a value, whichever of its alternatives holds: the names that a contract has there. */
import { has, list } from "./conjuncts.ts";
import type { Schema } from "./read-schema.ts";

/** Every schema that may say something of the place. */
export type Place = Schema[];

export function placeOf(schemas: Schema[]): Place {
  return schemas.flatMap((schema): Schema[] => {
    if (typeof schema === "boolean") return [schema];
    const choices = ["allOf", "anyOf", "oneOf"].flatMap((key) => list(schema, key));
    const branches = ["if", "then", "else", "not"].flatMap((key) =>
      has(schema, key) ? [schema[key] as Schema] : [],
    );
    return [schema, ...placeOf([...choices, ...branches])];
  });
}

/** The names of fields. */
export const namesAt = (place: Place): Set<string> =>
  new Set(
    place.flatMap((schema) =>
      has(schema, "properties") ? Object.keys((schema as Properties).properties) : [],
    ),
  );

type Properties = { properties: Record<string, Schema> };

/** What schemas say of a field. */
export function ofField(schemas: Schema[], name: string): Schema[] {
  return schemas.flatMap((schema): Schema[] => {
    if (typeof schema === "boolean") return [];
    const own = (schema as Properties).properties;
    if (own !== undefined && Object.hasOwn(own, name)) return [own[name] as Schema];
    return ofOthers([schema]);
  });
}

/** What schemas say of a field that none of them names. */
export function ofOthers(schemas: Schema[]): Schema[] {
  return schemas.flatMap((schema) =>
    has(schema, "additionalProperties") && !has(schema, "patternProperties")
      ? [(schema as { additionalProperties: Schema }).additionalProperties]
      : [],
  );
}

/** What schemas say of every element of a list. */
export function ofElements(schemas: Schema[]): Schema[] {
  return schemas.flatMap((schema) =>
    has(schema, "items") && !has(schema, "prefixItems")
      ? [(schema as { items: Schema }).items]
      : [],
  );
}

/** The words of schemas on one keyword. */
export const said = (schemas: Schema[], keyword: string): unknown[] =>
  schemas.flatMap((schema) =>
    typeof schema === "object" && has(schema, keyword) ? [schema[keyword]] : [],
  );
