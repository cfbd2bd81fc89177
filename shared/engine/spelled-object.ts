/** The JSON Schema of an object whose fields have several names, of which the first with a value counts. */
import type { JsonSchema } from "./published-schema.ts";

export interface SpeltField {
  /** The preferred one first. */
  spellings: readonly string[];
  schema: JsonSchema;
  isRequired: boolean;
  /** Null counts as absent. */
  isNullTaken: boolean;
}

/** @param json of the object in the preferred spelling alone; all but its fields is kept. */
export function spelledObject(json: JsonSchema, fields: SpeltField[]): JsonSchema {
  const { properties: _, required: __, allOf = [], ...kept } = json;
  const single = fields.filter(({ spellings }) => spellings.length === 1);
  const required = single.flatMap(({ isRequired, spellings }) => (isRequired ? spellings : []));
  const rules = fields.filter(({ spellings }) => spellings.length > 1).flatMap(rulesOf);
  const all = [...(allOf as JsonSchema[]), ...rules];
  return {
    ...kept,
    properties: Object.fromEntries(fields.flatMap(propertiesOf)),
    ...(required.length > 0 && { required }),
    ...(all.length > 0 && { allOf: all }),
  };
}

/** Of several spellings only one is checked, so the rules say of what type it is. */
function propertiesOf(field: SpeltField): [string, JsonSchema][] {
  const [first = "", ...others] = field.spellings;
  if (others.length === 0) return [[first, checkOf(field)]];
  const { description = "", default: byDefault } = field.schema;
  const also = `Also as ${others.map((name) => `\`${name}\``).join(", ")}.`;
  const own: JsonSchema = {
    description: `${description}${/[^.]$/.test(description) ? "." : ""} ${also}`.trim(),
    ...(byDefault !== undefined && { default: byDefault }),
  };
  return [
    [first, own],
    ...others.map((name): [string, JsonSchema] => [
      name,
      { description: `Another spelling of \`${first}\`.` },
    ]),
  ];
}

/** What a field's value must be. */
function checkOf({ schema, isNullTaken }: SpeltField): JsonSchema {
  return isNullTaken ? orNull(schema) : schema;
}

function orNull({ description, default: byDefault, ...value }: JsonSchema): JsonSchema {
  const { anyOf, ...rest } = value;
  const isChoice = Array.isArray(anyOf) && Object.keys(rest).length === 0;
  return {
    ...(description !== undefined && { description }),
    ...(byDefault !== undefined && { default: byDefault }),
    ...(Object.keys(value).length > 0 && {
      anyOf: [...(isChoice ? anyOf : [value]), { type: "null" }],
    }),
  };
}

/** None for a field that may hold anything or be absent. */
function rulesOf(field: SpeltField): JsonSchema[] {
  const { description: _, default: __, ...value } = field.schema;
  if (Object.keys(value).length === 0 && !field.isRequired) return [];
  return [ruleOf(field.spellings, field, value)];
}

function ruleOf(
  [first = "", ...others]: readonly string[],
  field: SpeltField,
  value: JsonSchema,
): JsonSchema {
  if (others.length === 0) {
    const last = { properties: { [first]: field.isNullTaken ? orNull(value) : value } };
    return field.isRequired ? { required: [first], ...last } : last;
  }
  return {
    if: { required: [first], properties: { [first]: { not: { type: "null" } } } },
    // biome-ignore lint/suspicious/noThenProperty: it is JSON Schema's
    then: { properties: { [first]: value } },
    else: ruleOf(others, field, value),
  };
}
