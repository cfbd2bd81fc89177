/** The JSON Schema of what an engine takes, spellings and tolerance included; where it takes more than JSON Schema can say, the wider one. */
import { z } from "zod";
import { type SpeltField, spelledObject } from "./spelled-object.ts";
import { shapeOf, WIRE } from "./spelling-marks.ts";
import { isNullAbsent, spellingsOf } from "./spelling-plan.ts";

export type JsonSchema = z.core.JSONSchema.BaseSchema & Record<string, unknown>;

/**
 * `published`: accepts whatever the engine does. `types`: the preferred spelling alone and what a value
 * should be, from which types and tables are made; `spellings` and `isJsonTaken` note what else is taken.
 */
export type SchemaFor = "published" | "types";

interface Walk {
  audience: SchemaFor;
  /** Parts that several places refer to, by the title of their schema. */
  defs: Record<string, JsonSchema>;
}

/** The schema of a job's input. */
export function inputSchema(schema: z.ZodType, audience: SchemaFor): JsonSchema {
  const walk: Walk = { audience, defs: {} };
  const json = partOf(schema, false, walk);
  const defs = Object.keys(walk.defs).length > 0 ? { $defs: walk.defs } : {};
  return { $schema: "https://json-schema.org/draft/2020-12/schema", ...json, ...defs };
}

/** The schema of an output or an event: an engine keeps to it. */
export const outputSchema = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, { io: "output", unrepresentable: "any" }) as JsonSchema;

function partOf(schema: z.ZodType, isSpelled: boolean, walk: Walk): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return widened(schema, json as JsonSchema, isSpelled, walk);
}

/** Goes through a schema and its JSON Schema side by side. */
function widened(schema: z.ZodType, json: JsonSchema, isSpelled: boolean, walk: Walk): JsonSchema {
  const { isJsonTaken, isReadByHandler } = WIRE.get(schema) ?? {};
  const shape = shapeOf(schema);
  const own = shape
    ? describedBy(shape, json, isSpelled && !isReadByHandler, walk)
    : inner(schema, json, isSpelled, walk);
  if (!isJsonTaken) return own;
  if (walk.audience === "types") return { ...own, isJsonTaken };
  const { description, default: byDefault, ...value } = own;
  return {
    ...(description !== undefined && { description }),
    ...(byDefault !== undefined && { default: byDefault }),
    anyOf: [
      value,
      {
        description: "The same as JSON in a string.",
        type: "string",
        contentMediaType: "application/json",
        ...jsonPattern(schema),
      },
    ],
  };
}

/** What the text must begin and end with, where the value must be an object. */
function jsonPattern(schema: z.ZodType): JsonSchema {
  const type = schema._zod.def.type;
  if (type !== "object" && type !== "record") return {};
  return { pattern: "^[ \\t\\n\\r]*(\\{[^]*\\}|null)[ \\t\\n\\r]*$" };
}

function describedBy(
  shape: z.ZodType,
  base: JsonSchema,
  isSpelled: boolean,
  walk: Walk,
): JsonSchema {
  // Types forbid keys that they don't know, unless told.
  const isOpen = walk.audience === "types" && base.additionalProperties !== undefined;
  const part = named(shape, isSpelled, walk, isOpen ? { additionalProperties: {} } : {});
  const { description } = base;
  const told = description === undefined ? {} : { description };
  // A base that checks something is never broken by the shape, which says no more than it does.
  if (base.type !== undefined) return { ...part, ...told };
  if (walk.audience === "types") return { ...part, ...told };
  return { ...told, anyOf: [part, { description: "Anything else is left out, with a warning." }] };
}

/** A part with a title stands among the definitions, once. */
function named(schema: z.ZodType, isSpelled: boolean, walk: Walk, more: JsonSchema): JsonSchema {
  const { title, ...part } = { ...partOf(schema, isSpelled, walk), ...more };
  if (typeof title !== "string") return part;
  walk.defs[title] = part;
  return { $ref: `#/$defs/${title}` };
}

type Def = Record<string, z.ZodType> & { type: string };

function inner(schema: z.ZodType, json: JsonSchema, isSpelled: boolean, walk: Walk): JsonSchema {
  const def = schema._zod.def as unknown as Def;
  const within = (key: string, part: JsonSchema) =>
    widened(def[key] as z.ZodType, part, isSpelled, walk);
  switch (def.type) {
    case "object":
      return objectOf(schema as z.ZodObject, json, isSpelled, walk);
    case "array":
      return { ...json, items: within("element", json.items as JsonSchema) };
    case "record":
      return {
        ...json,
        additionalProperties: within("valueType", json.additionalProperties as JsonSchema),
      };
    case "nullable": {
      const [part, none] = (json.anyOf ?? []) as JsonSchema[];
      return part && none ? { ...json, anyOf: [within("innerType", part), none] } : json;
    }
    case "catch":
      return walk.audience === "types"
        ? within("innerType", json)
        : caught(within("innerType", json));
    case "optional":
    case "default":
    case "prefault":
    case "nonoptional":
    case "readonly":
      return within("innerType", json);
    case "pipe": {
      const spelled = isSpelled || WIRE.get(schema)?.isAnySpelling === true;
      const side = def.in?._zod.def.type === "transform" ? def.out : def.in;
      return widened(side as z.ZodType, json, spelled, walk);
    }
    default:
      return leaf(json);
  }
}

/** The pattern is exact, while others' checks of a format are not: a time without seconds is one to us. */
function leaf(json: JsonSchema): JsonSchema {
  if (json.pattern === undefined) return json;
  const { format: _, ...kept } = json;
  return kept;
}

function caught({ description, default: fallback, ...value }: JsonSchema): JsonSchema {
  return {
    ...(description !== undefined && { description }),
    anyOf: [value, { description: "Anything else counts as absent." }],
    ...(fallback !== undefined && { default: fallback }),
  };
}

function objectOf(
  schema: z.ZodObject,
  json: JsonSchema,
  isSpelled: boolean,
  walk: Walk,
): JsonSchema {
  const { keyWarnings: _, ...properties } = json.properties as Record<string, JsonSchema>;
  const required = (json.required ?? []) as string[];
  const fields = Object.entries(properties).map(([key, part]): SpeltField => {
    const field = schema.shape[key] as z.ZodType;
    return {
      spellings: isSpelled ? spellingsOf(key, field) : [key],
      schema: widened(field, part, isSpelled, walk),
      isRequired: required.includes(key),
      isNullTaken: isSpelled && isNullAbsent(field),
    };
  });
  if (walk.audience === "published") return spelledObject(json, fields);
  const own = fields.map(({ spellings: [key, ...spellings], schema: part }) => [
    key,
    // Of other spellings only readers are to know.
    spellings.length > 0 ? { ...part, spellings } : part,
  ]);
  // Only JSON Schema's own conditions hold more, of which types know nothing.
  const { if: _if, then: _then, else: _else, oneOf: _oneOf, not: _not, ...rest } = json;
  return { ...rest, properties: Object.fromEntries(own) };
}
