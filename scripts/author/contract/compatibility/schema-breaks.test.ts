/** Each rule of the comparison both ways, and told with its place. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { inputSchema, outputSchema } from "../../../../shared/engine/published-schema.ts";
import { anySpelling } from "../../../../shared/engine/spellings.ts";
import { type Direction, schemaBreaks } from "./schema-breaks.ts";

const found = (older: object, newer: object, direction: Direction) =>
  schemaBreaks({ schema: older, pointer: "/x" }, { schema: newer, pointer: "/x" }, direction);
const breaks = (older: object, newer: object, direction: Direction) =>
  found(older, newer, direction).filter(({ isWarning }) => !isWarning);

const field = (schema: object | boolean, more: object = {}) => ({
  type: "object",
  properties: { a: schema },
  ...more,
});

/** Wider first: who takes it takes what is narrower, too. */
const PAIRS: [what: string, wide: object, narrow: object, pointer: string][] = [
  ["required", field({}), field({}, { required: ["a"] }), "/x/required"],
  ["type", field({ type: ["string", "null"] }), field({ type: "string" }), "/x/properties/a/type"],
  ["number", field({ type: "number" }), field({ type: "integer" }), "/x/properties/a/type"],
  ["enum", field({ enum: ["x", "y"] }), field({ enum: ["x"] }), "/x/properties/a/enum"],
  ["const", field({ enum: ["x", "y"] }), field({ const: "x" }), "/x/properties/a/const"],
  ["any", field({}), field({ type: "string" }), "/x/properties/a/type"],
  ["maxLength", field({ maxLength: 9 }), field({ maxLength: 8 }), "/x/properties/a/maxLength"],
  ["minLength", field({}), field({ minLength: 1 }), "/x/properties/a/minLength"],
  ["pattern", field({}), field({ pattern: "^a" }), "/x/properties/a/pattern"],
  ["format", field({}), field({ format: "date" }), "/x/properties/a/format"],
  ["minimum", field({ minimum: 0 }), field({ minimum: 1 }), "/x/properties/a/minimum"],
  [
    "above",
    field({ minimum: 0 }),
    field({ exclusiveMinimum: 0 }),
    "/x/properties/a/exclusiveMinimum",
  ],
  ["maximum", field({ maximum: 2 }), field({ maximum: 1 }), "/x/properties/a/maximum"],
  ["multipleOf", field({ multipleOf: 2 }), field({ multipleOf: 4 }), "/x/properties/a/multipleOf"],
  ["maxItems", field({ maxItems: 9 }), field({ maxItems: 8 }), "/x/properties/a/maxItems"],
  ["uniqueItems", field({}), field({ uniqueItems: true }), "/x/properties/a/uniqueItems"],
  [
    "elements",
    field({ type: "array", items: { maxLength: 3 } }),
    field({ type: "array", items: { maxLength: 2 } }),
    "/x/properties/a/items/maxLength",
  ],
  [
    "values of a map",
    field({ additionalProperties: { maxLength: 3 } }),
    field({ additionalProperties: { maxLength: 2 } }),
    "/x/properties/a/additionalProperties/maxLength",
  ],
  [
    "names of a map",
    field({ propertyNames: { maxLength: 3 } }),
    field({ propertyNames: { maxLength: 2 } }),
    "/x/properties/a/propertyNames/maxLength",
  ],
  [
    "null",
    field({ anyOf: [{ type: "string" }, { type: "null" }] }),
    field({ type: "string" }),
    "/x/properties/a/type",
  ],
  [
    "an alternative",
    field({ anyOf: [{ type: "string" }, { type: "number" }] }),
    field({ anyOf: [{ type: "string" }] }),
    "/x/properties/a/anyOf",
  ],
  ["an exception", field({}), field({ not: { const: 7 } }), "/x/properties/a/not"],
  ["a definition", ref({ maxLength: 9 }), ref({ maxLength: 8 }), "/x/$defs/A/maxLength"],
];

function ref(schema: object) {
  return { ...field({ $ref: "#/$defs/A", description: "Told here." }), $defs: { A: schema } };
}

describe.each(PAIRS)("%s", (_, wide, narrow, pointer) => {
  test("an input may not become narrower, and may become wider", () => {
    expect(breaks(wide, narrow, "input")).toMatchObject([{ pointer, file: "current" }]);
    expect(breaks(narrow, wide, "input")).toEqual([]);
  });

  test("an output may become narrower, and not wider", () => {
    expect(found(wide, narrow, "output")).toEqual([]);
    expect(found(narrow, wide, "output")).toMatchObject([{ pointer, file: "baseline" }]);
  });

  test("what stays is no change", () => {
    for (const direction of ["input", "output"] as const)
      for (const schema of [wide, narrow])
        expect(found(schema, structuredClone(schema), direction)).toEqual([]);
  });
});

test("a field of an output that is gone is a break; one more is none, though the schema was closed", () => {
  const one = field({ type: "string" }, { additionalProperties: false });
  const two = {
    ...one,
    properties: { ...one.properties, b: { type: "string" } },
  };
  expect(found(one, two, "output")).toEqual([]);
  expect(breaks(two, one, "output")).toMatchObject([
    { field: "b", file: "baseline", pointer: "/x/properties/b" },
  ]);
});

test("a new value of an output's enumeration is a warning", () => {
  const [warning, ...others] = found(field({ enum: ["x"] }), field({ enum: ["x", "y"] }), "output");
  expect(warning).toMatchObject({ isWarning: true, what: 'new values: "y"' });
  expect(others).toEqual([]);
});

test("a new field of an input is no break unless it is required", () => {
  const more = { ...field({}), properties: { a: {}, b: { type: "string" } } };
  expect(found(field({}), more, "input")).toEqual([]);
  expect(breaks(field({}), { ...more, required: ["b"] }, "input")).toHaveLength(1);
});

test("a field of an input that is gone is a break, though unknown keys are taken", () => {
  expect(breaks(field({ type: "string" }), { type: "object" }, "input")).toMatchObject([
    { field: "a", file: "baseline", pointer: "/x/properties/a" },
  ]);
});

test("unknown keys that are refused from now on", () => {
  const closed = field({}, { additionalProperties: false });
  expect(breaks(field({}), closed, "input")).toMatchObject([
    { pointer: "/x/additionalProperties", what: "took unknown keys and refuses them now" },
  ]);
  expect(breaks(closed, field({}), "input")).toEqual([]);
});

test("another default is a warning", () => {
  expect(found(field({ default: 1 }), field({ default: 2 }), "input")).toMatchObject([
    { isWarning: true, field: "a", pointer: "/x/properties/a" },
  ]);
  expect(found(field({ default: 1 }), field({ default: 2 }), "output")).toEqual([]);
});

test("what is left out in silence from now on", () => {
  const tolerant = (maxLength: number) => field({ anyOf: [{ type: "string", maxLength }, {}] });
  const [first] = breaks(tolerant(9), tolerant(8), "input");
  expect(first).toMatchObject({ pointer: "/x/properties/a/anyOf/0/maxLength" });
  expect(first?.what).toMatch(/left out in silence/);
  expect(found(tolerant(8), tolerant(9), "input")).toEqual([]);
});

test("words, titles and order are nothing", () => {
  const older = field({ type: "string", description: "Old.", maxLength: 3 }, { title: "Old" });
  const newer = field({ maxLength: 3, type: "string", description: "New." }, { title: "New" });
  expect(found(older, newer, "input")).toEqual([]);
  expect(found(older, newer, "output")).toEqual([]);
});

test("fields named as keywords are fields", () => {
  const older = { properties: { description: { type: "string" }, enum: {}, properties: {} } };
  const newer = { properties: { description: { type: "number" }, enum: {}, properties: {} } };
  expect(breaks(older, newer, "input")).toMatchObject([{ field: "description" }]);
});

test("of what holds itself: the same is the same, another is a break", () => {
  const tree = (maxItems: number) => ({
    $ref: "#/$defs/Tree",
    $defs: { Tree: { type: "array", maxItems, items: { $ref: "#/$defs/Tree" } } },
  });
  expect(found(tree(3), tree(3), "input")).toEqual([]);
  expect(breaks(tree(3), tree(2), "input").length).toBeGreaterThan(0);
});

describe("as engines publish it", () => {
  const spelt = (shape: z.core.$ZodLooseShape) =>
    inputSchema(anySpelling(z.object(shape)), "published");
  const base = { issueId: z.string().max(50), stateId: z.string().nullish() };

  test("one spelling more, one field more, one ceiling up", () => {
    expect(
      found(spelt(base), spelt({ ...base, labelIds: z.array(z.string()).optional() }), "input"),
    ).toEqual([]);
    expect(found(spelt(base), spelt({ ...base, issueId: z.string().max(60) }), "input")).toEqual(
      [],
    );
    expect(found(inputSchema(z.object(base), "published"), spelt(base), "input")).toEqual([]);
  });

  test("one spelling less", () => {
    const [first, second] = breaks(spelt(base), inputSchema(z.object(base), "published"), "input");
    expect([first, second]).toMatchObject([
      { field: "issue_id", file: "baseline", pointer: "/x/properties/issue_id" },
      { field: "state_id", file: "baseline", pointer: "/x/properties/state_id" },
    ]);
  });

  test("a ceiling down, in each spelling", () => {
    const found = breaks(spelt(base), spelt({ ...base, issueId: z.string().max(9) }), "input");
    expect(found.map(({ field, what }) => [field, what.split(":")[0]])).toEqual([
      ["issueId", "maxLength was 50 and is 9"],
      ["issue_id", "maxLength was 50 and is 9"],
    ]);
  });

  test("null is refused from now on", () => {
    const found = breaks(spelt(base), spelt({ ...base, stateId: z.string() }), "input");
    expect(found.map(({ field }) => field)).not.toEqual([]);
  });

  test("an output that may be null from now on", () => {
    const [older, newer] = [z.string(), z.string().nullable()].map((a) =>
      outputSchema(z.object({ a })),
    );
    expect(breaks(older as object, newer as object, "output")).toMatchObject([{ field: "a" }]);
    expect(found(newer as object, older as object, "output")).toEqual([]);
  });
});
