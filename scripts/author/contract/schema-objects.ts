/** JSON Schemas as AsyncAPI wants them: draft-07, with every definition among the document's components. */
import type { JsonSchema } from "../../../shared/engine/published-schema.ts";

type Components = Record<string, JsonSchema>;

/** Where names stand as keys, and where a value is data. */
const NAMED = new Set(["properties", "patternProperties", "$defs"]);
const DATA = new Set(["default", "const", "enum", "examples", "required"]);

/** The schema by its name, and each of its definitions as `<name>.<definition>`. */
export function schemaObjects(name: string, schema: JsonSchema): Components {
  const { $schema: _, $defs = {}, ...root } = schema;
  const parts = Object.entries($defs as Record<string, JsonSchema>);
  return {
    [name]: moved(root as JsonSchema, name),
    ...Object.fromEntries(parts.map(([key, part]) => [`${name}.${key}`, moved(part, name)])),
  };
}

export const schemaRef = (name: string) => ({ $ref: `#/components/schemas/${name}` });

function moved(schema: JsonSchema, owner: string): JsonSchema {
  const { $ref, ...rest }: JsonSchema = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, movedValue(key, value, owner)]),
  );
  if ($ref === undefined) return rest;
  // Draft-07 passes over whatever stands beside a reference.
  return Object.keys(rest).length === 0 ? { $ref } : { ...rest, allOf: [{ $ref }] };
}

function movedValue(key: string, value: unknown, owner: string): unknown {
  if (key === "$ref") return movedRef(String(value), owner);
  if (typeof value !== "object" || value === null || DATA.has(key)) return value;
  if (Array.isArray(value)) return value.map((part) => movedValue("", part, owner));
  if (!NAMED.has(key)) return moved(value as JsonSchema, owner);
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, movedValue("", part, owner)]),
  );
}

function movedRef(ref: string, owner: string): string {
  const [, name] = /^#\/\$defs\/([\w.-]+)$/.exec(ref) ?? [];
  if (name === undefined && ref !== "#")
    throw new Error(`${owner} refers to ${ref}: only #/$defs/<name> can be moved`);
  return schemaRef(name === undefined ? owner : `${owner}.${name}`).$ref;
}
