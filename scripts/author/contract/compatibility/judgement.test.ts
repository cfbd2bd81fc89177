/** What the comparison judges compatible is compatible: bodies that were valid are valid still, by a validator that is not ours. */
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { schemaBreaks } from "./schema-breaks.ts";

// Many runs on a busy machine take their time.
vi.setConfig({ testTimeout: 240_000 });

type Json = Record<string, unknown>;
const NAMES = ["a", "b", "a_b"];

const ajv = new Ajv2020({ strict: false });
const isValid = (schema: Json, value: unknown) => ajv.validate(schema, value) as boolean;

const bound = fc.integer({ min: 0, max: 3 });
const leaf: fc.Arbitrary<Json> = fc.oneof(
  fc.constant({}),
  fc.record(
    { type: fc.constant("string"), minLength: bound, maxLength: bound },
    { requiredKeys: ["type"] },
  ),
  fc.record(
    {
      type: fc.constantFrom("integer", "number"),
      minimum: bound,
      maximum: bound,
      exclusiveMinimum: bound,
    },
    { requiredKeys: ["type"] },
  ),
  fc.record({ type: fc.constant("string"), pattern: fc.constantFrom("^x", "y$") }),
  fc.subarray(["x", "y", null, 1, true], { minLength: 1 }).map((values) => ({ enum: values })),
  fc.constantFrom("x", null, 2).map((value) => ({ const: value })),
  fc.constantFrom<Json>({ type: "null" }, { type: ["string", "null"] }, { type: "boolean" }),
  fc.constantFrom<Json>({ not: { type: "null" } }, { not: { const: "x" } }, { minLength: 2 }),
);

const { schema } = fc.letrec<{ schema: Json; object: Json }>((tie) => ({
  object: fc
    .record(
      {
        type: fc.constant("object"),
        properties: fc.dictionary(fc.constantFrom(...NAMES), tie("schema"), { maxKeys: 3 }),
        required: fc.subarray(NAMES, { maxLength: 2 }),
        additionalProperties: fc.oneof(fc.constant(false), leaf),
        minProperties: fc.constantFrom(1, 2),
        propertyNames: fc.constantFrom({ maxLength: 1 }, { maxLength: 3 }),
      },
      { requiredKeys: ["properties"] },
    )
    .map((made) => made as Json),
  schema: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    tie("object"),
    fc.record(
      { type: fc.constant("array"), items: tie("schema"), maxItems: bound },
      { requiredKeys: ["items"] },
    ),
    fc.record({ anyOf: fc.array(tie("schema"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ allOf: fc.array(tie("schema"), { minLength: 1, maxLength: 2 }) }),
    fc.record({ oneOf: fc.array(tie("schema"), { minLength: 1, maxLength: 2 }) }),
    // As the spellings of a field are published.
    fc.tuple(tie("schema"), tie("schema"), fc.boolean()).map(([first, second, isRequired]) => ({
      type: "object",
      properties: { a: {}, a_b: {} },
      if: { required: ["a"], properties: { a: { not: { type: "null" } } } },
      // biome-ignore lint/suspicious/noThenProperty: it is JSON Schema's
      then: { properties: { a: first } },
      else: { properties: { a_b: second }, ...(isRequired && { required: ["a_b"] }) },
    })),
  ),
}));

/** One thing, somewhere, made another. */
const changed = (older: Json) =>
  fc
    .tuple(fc.nat(), fc.constantFrom("drop", "more", "less", "other"), schema)
    .map(([at, how, other]) => {
      const newer = structuredClone(older);
      const spots = spotsOf(newer);
      const spot = spots[at % spots.length];
      if (!spot) return newer;
      const [owner, key] = spot;
      const value = owner[key];
      if (how === "drop" && !Array.isArray(owner)) delete owner[key];
      else if (typeof value === "number")
        owner[key] = Math.max(0, value + (how === "more" ? 1 : -1));
      else if (
        typeof value === "object" &&
        value !== null &&
        !Array.isArray(value) &&
        how === "other" &&
        key !== "properties"
      )
        owner[key] = other;
      return newer;
    });

function spotsOf(value: unknown): [owner: Json, key: string][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => [
    [value as Json, key] as [Json, string],
    ...spotsOf(part),
  ]);
}

/** Values with the names of the schemas, and one that no schema has. */
const { body } = fc.letrec<{ body: unknown }>((tie) => ({
  body: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom("", "x", "xy", "xyz", "wwww", null, true, false, 0, 1, 2, 3, 4, 1.5),
    fc.dictionary(fc.constantFrom(...NAMES, "zz"), tie("body"), { maxKeys: 3 }),
    fc.array(tie("body"), { maxLength: 4 }),
  ),
}));

/** Nobody sends what the contract did not name: keys that are new in the newer schema. */
function isByTheContract(older: Json, value: unknown): boolean {
  const names = new Set(spotsOf(older).map(([, key]) => key));
  return spotsOf(value).every(
    ([owner, key]) => Array.isArray(owner) || key === "zz" || names.has(key),
  );
}

test("judged compatible: whatever was valid is valid", () => {
  const seen = { compatible: 0, changed: 0, bodies: 0 };
  fc.assert(
    fc.property(
      schema.chain((older) =>
        fc.tuple(
          fc.constant(older),
          fc.oneof(changed(older), changed(older).chain(changed), schema),
        ),
      ),
      fc.array(body, { minLength: 30, maxLength: 30 }),
      ([older, newer], bodies) => {
        const found = schemaBreaks(
          { schema: older, pointer: "" },
          { schema: newer, pointer: "" },
          "input",
        );
        if (found.length > 0) return;
        seen.compatible += 1;
        if (JSON.stringify(older) !== JSON.stringify(newer)) seen.changed += 1;
        for (const sent of bodies) {
          if (!isByTheContract(older, sent) || !isValid(older, sent)) continue;
          seen.bodies += 1;
          expect(isValid(newer, sent), JSON.stringify({ older, newer, sent })).toBe(true);
        }
      },
    ),
    { numRuns: 1_000 },
  );
  expect(seen.changed).toBeGreaterThan(60);
  expect(seen.bodies).toBeGreaterThan(500);
});
