/** Makes values that a schema takes, its extremes above all: the longest, the emptiest, the oddest. */
import fc from "fast-check";
import { z } from "zod";
import { shapeOf, WIRE } from "../engine/spelling-marks.ts";

type Def = Record<string, unknown> & { type: string };

/** What has no limit gets this many characters, elements or keys: more than anybody who reads it should presume. */
const UNLIMITED = 6_000;

/**
 * @param most elements or keys of what has no lower limit of its own.
 * @throws {TypeError} for a kind of schema that it does not know yet.
 */
export function arbitraryOf(schema: z.ZodType, most = UNLIMITED): fc.Arbitrary<unknown> {
  return partOf(schema, most).filter((value) => schema.safeParse(value).success);
}

const SHORT_BYTES = 2_048;

/** Inputs that a message can carry and the schema takes, short ones before long ones; the same each time. */
export function sampleInputs(schema: z.ZodType, count = 50): unknown[] {
  const arbitrary = arbitraryOf(schema).map((value) => JSON.stringify(value));
  const takes = (text: string | undefined) =>
    text !== undefined && schema.safeParse(JSON.parse(text)).success;
  const texts = fc.sample(arbitrary, { numRuns: count * 2, seed: 1 }).filter(takes);
  const [short, long] = [
    texts.filter(({ length }) => length <= SHORT_BYTES),
    texts.filter(({ length }) => length > SHORT_BYTES),
  ];
  return [...short, ...long].slice(0, count).map((text) => JSON.parse(text));
}

function partOf(schema: z.ZodType, most: number): fc.Arbitrary<unknown> {
  // What a handler reads itself has parts within parts, more than a string can hold: its engine makes its own.
  const shape = WIRE.get(schema)?.isReadByHandler ? undefined : shapeOf(schema);
  // What it checks itself is less than what it is meant to hold.
  return shape ? fc.oneof(partOf(shape, most), partBy(schema, most)) : partBy(schema, most);
}

function partBy(schema: z.ZodType, most: number): fc.Arbitrary<unknown> {
  const def = schema._zod.def as unknown as Def;
  const inner = (key: string) => partOf(def[key] as z.ZodType, most);
  switch (def.type) {
    case "string":
      return leaf(
        schema,
        [...TEXTS, ...TIMES],
        stringsOf(schema),
        lengthsOf(schema).flatMap(textsOf),
      );
    case "number":
      return leaf(schema, NUMBERS, fc.double(), limitsOf(schema));
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    // JSON, which holds itself.
    case "lazy":
      return fc.jsonValue();
    case "unknown":
    case "any":
      return fc.jsonValue();
    case "enum":
      return fc.constantFrom(...Object.values(def.entries as object));
    case "literal":
      return fc.constantFrom(...(def.values as unknown[]));
    case "object":
      return objectOf(def.shape as Record<string, z.ZodType>, most);
    case "array":
      return arrayOf(schema, inner("element"), most);
    case "record":
      return recordOf(inner("keyType"), inner("valueType"), most);
    case "union":
      return fc.oneof(...(def.options as z.ZodType[]).map((option) => partOf(option, most)));
    case "optional":
      return fc.option(inner("innerType"), { nil: undefined });
    case "nullable":
      return fc.option(inner("innerType"), { nil: null });
    case "default":
    case "prefault":
    case "catch":
    case "readonly":
    case "nonoptional":
      return inner("innerType");
    case "pipe":
      return inner((def.in as z.ZodType)._zod.def.type === "transform" ? "out" : "in");
    default:
      throw new TypeError(`arbitraryOf does not know schemas of the type ${def.type}`);
  }
}

const TEXTS = ["", " ", "a", "0", "-1", "\0", "a\0b", "\ud800", "é", "__proto__", "UTC"];
/** Of days and instants. */
const TIMES = ["2024-02-29", "2024-02-29T00:00:00Z", "2024-02-29T23:59:59.5+05:30"];
const NUMBERS = [0, -0, 1, -1, 0.5, 2 ** 53 - 1, -(2 ** 53 - 1), 1e21, Number.MAX_VALUE, 5e-324];
const textsOf = (length: number) => [
  "x".repeat(length),
  "\u{1f600}".repeat(length / 2),
  "\0".repeat(length),
];

/** Of a schema that has a pattern (an email, a UUID, a time) texts that fit it; of any other all texts. */
function stringsOf(schema: z.ZodType): fc.Arbitrary<string> {
  const { patterns = [] } = schema._zod.bag as { patterns?: Iterable<RegExp> };
  const [pattern = writtenPattern(schema)] = patterns;
  if (pattern === undefined) return fc.string({ unit: "binary" });
  const { format } = schema._zod.def as { format?: string };
  // Its pattern looks ahead, which fast-check does not follow.
  return format === "email" ? fc.emailAddress() : fc.stringMatching(pattern);
}

/** One that the author gave; without the one that only says that there is no NUL. */
function writtenPattern(schema: z.ZodType): RegExp | undefined {
  const { pattern } = limits(schema) as { pattern?: string };
  return pattern === undefined || pattern.includes("\\u0000") ? undefined : new RegExp(pattern);
}

/** Those of the candidates that the schema takes, in half of all cases one of its own limits. */
function leaf<Value>(
  schema: z.ZodType,
  usual: Value[],
  any: fc.Arbitrary<Value>,
  extremes: Value[],
): fc.Arbitrary<Value> {
  const fits = (value: Value) => schema.safeParse(value).success;
  const candidates = [usual, extremes].map((values) => values.filter(fits));
  const constants = candidates
    .filter((values) => values.length > 0)
    .map((values) => fc.constantFrom(...values));
  // Where few fit, such as of time zones, to look for others would take for ever.
  const sampled = fc.sample(any, 20).filter(fits);
  if (sampled.length > 5) constants.push(any.filter(fits));
  else if (sampled.length > 0) constants.push(fc.constantFrom(...sampled));
  return fc.oneof(...constants);
}

/** As its JSON Schema tells them, which outlives changes of zod's insides. */
const limits = (schema: z.ZodType) =>
  z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });

function lengthsOf(schema: z.ZodType): number[] {
  const { minLength = 0, maxLength = UNLIMITED } = limits(schema);
  return [minLength, maxLength];
}

function limitsOf(schema: z.ZodType): number[] {
  const { minimum = 0, maximum = 0 } = limits(schema);
  return [minimum, maximum];
}

function objectOf(shape: Record<string, z.ZodType>, most: number): fc.Arbitrary<unknown> {
  return fc.record(
    Object.fromEntries(Object.entries(shape).map(([key, schema]) => [key, partOf(schema, most)])),
  );
}

function arrayOf(
  schema: z.ZodType,
  element: fc.Arbitrary<unknown>,
  most: number,
): fc.Arbitrary<unknown> {
  const { minItems: minLength = 0, maxItems = UNLIMITED } = limits(schema);
  const maxLength = Math.max(minLength, Math.min(maxItems, most));
  const few = fc.array(element, { minLength, maxLength: Math.min(maxLength, 10) });
  // Elements in turns: as many different ones would take the most of all time.
  const full = few
    .filter((elements) => elements.length > 0)
    .map((elements) => Array.from({ length: maxLength }, (_, i) => elements[i % elements.length]));
  return fc.oneof(
    { weight: 7, arbitrary: few },
    { weight: maxLength > 10 ? 1 : 0, arbitrary: full },
  );
}

function recordOf(
  anyKey: fc.Arbitrary<unknown>,
  value: fc.Arbitrary<unknown>,
  most: number,
): fc.Arbitrary<unknown> {
  const key = anyKey as fc.Arbitrary<string>;
  const many = value.map((one) =>
    Object.fromEntries(Array.from({ length: most }, (_, i) => [`k${i}`, one])),
  );
  return fc.oneof(
    { weight: 5, arbitrary: fc.dictionary(key, value, { maxKeys: 10 }) },
    { weight: 1, arbitrary: many },
  );
}
