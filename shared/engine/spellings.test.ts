/** What an input may be spelled like, what that costs it, and what is told of odd keys. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { faultsIn } from "../testing/schema-faults.ts";
import { inputSchema } from "./published-schema.ts";
import {
  alsoAs,
  anySpelling,
  describedAs,
  KeyWarnings,
  orJson,
  readByHandler,
} from "./spellings.ts";

const Part = z.object({ partId: z.string(), madeAt: z.string().optional() });
const Order = anySpelling(
  z.object({
    orderId: z.string(),
    note: z.string().optional(),
    sentBy: alsoAs(z.string().nullable().default(null), "sender"),
    mainPart: orJson(Part).optional(),
    parts: z.array(describedAs(z.unknown(), Part)).default([]),
    byPlace: z.record(z.string(), Part).default({}),
    keyWarnings: KeyWarnings,
  }),
);
const warnings = (sent: object) =>
  Order.parse({ orderId: "1", ...sent }).keyWarnings?.map(({ code, path }) => `${code} ${path}`);

test("keys come in snake_case, under other names and as JSON, at any depth", () => {
  const part = { part_id: "p", made_at: "now" };
  const read = { partId: "p", madeAt: "now" };
  expect(
    Order.parse({
      order_id: "1",
      sender: "ana",
      main_part: JSON.stringify(part),
      parts: [part, 7],
      by_place: { __proto__: null, a_b: part },
    }),
  ).toEqual({
    orderId: "1",
    sentBy: "ana",
    mainPart: read,
    parts: [read, 7],
    byPlace: { a_b: read },
  });
});

test("what is in the schema's own spelling is not copied", () => {
  const Untouched = anySpelling(z.object({ list: z.array(describedAs(z.unknown(), Part)) }));
  const part = { partId: "p" };
  expect(Untouched.parse({ list: [part] }).list[0]).toBe(part);
});

test("null stands for absent where a field may be absent and takes no null", () => {
  expect(Order.parse({ orderId: "1", note: null, parts: null })).toMatchObject({ parts: [] });
  expect(Order.parse({ orderId: "1", main_part: "null" })).not.toHaveProperty("mainPart.partId");
  expect(Order.safeParse({ orderId: null }).success).toBe(false);
});

test("of several spellings the first with a value counts, and a disagreement is told", () => {
  const both = { sentBy: null, sent_by: "bo", sender: "ana" };
  expect(Order.parse({ orderId: "1", ...both }).sentBy).toBe("bo");
  expect(warnings(both)).toEqual(["conflicting_keys sentBy"]);
  expect(warnings({ sentBy: "bo", sender: "bo" })).toBeUndefined();
});

test("a string that is no JSON is refused where its value is checked", () => {
  const { error } = Order.safeParse({ orderId: "1", mainPart: "{" });
  expect(error?.issues).toMatchObject([
    { path: ["mainPart"], message: "is a string that is not JSON" },
  ]);
});

describe("unknown keys", () => {
  test("one that is a single edit away from a known one is told, with its path", () => {
    expect(warnings({ notes: "x", parts: [{ partId: "p", made_a: 1 }] })).toEqual([
      "unknown_key notes",
      "unknown_key parts[0].made_a",
    ]);
  });

  test("others are ignored, as are very long and very short ones", () => {
    expect(warnings({ page: 1, not: 1, [`note${"e".repeat(100)}`]: 1, constructor: 1 })).toBe(
      undefined,
    );
  });

  test("at most 20 are told, and of a flood of them only the first are looked at", () => {
    const parts = Array.from({ length: 50 }, () => ({ partId: "p", part_ids: 1 }));
    expect(warnings({ parts })).toHaveLength(20);
    // After 200 of them nobody looks any more.
    const flood = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`nota${n}`, n]));
    expect(warnings({ ...flood, notes: 1 })).toBeUndefined();
    expect(warnings({ notes: 1, ...flood })).toEqual(["unknown_key notes"]);
  });

  test("a caller can't send warnings of its own, and a long path is cut", () => {
    expect(warnings({ keyWarnings: [{ code: "unknown_key", path: "x", message: "x" }] })).toBe(
      undefined,
    );
    const [long] =
      warnings({ byPlace: { ["x".repeat(5_000)]: { partId: "p", part_ids: 1 } } }) ?? [];
    expect(long?.length).toBeLessThan(250);
  });

  test("where nobody asks, nothing is told", () => {
    expect(anySpelling(Part).parse({ part_id: "p", part_ids: 1 })).toEqual({ partId: "p" });
  });
});

describe("the published schema", () => {
  const schema = inputSchema(Order, "published");

  test.each<[object, boolean]>([
    [{ orderId: "1" }, true],
    [{ order_id: "1" }, true],
    [{ orderId: null, order_id: "1" }, true],
    [{ orderId: "1", order_id: 7 }, true],
    [{ orderId: 7, order_id: "1" }, false],
    [{}, false],
    [{ order_id: null }, false],
    [{ orderId: "1", sender: 7 }, false],
    [{ orderId: "1", sent_by: null, note: null }, true],
    [{ orderId: "1", mainPart: '{"part_id":"p"}' }, true],
    [{ orderId: "1", main_part: "7" }, false],
    [{ orderId: "1", main_part: { part_id: "p" } }, true],
    [{ orderId: "1", main_part: { made_at: "p" } }, false],
    [{ orderId: "1", parts: [7] }, true],
    [{ orderId: "1", parts: 7 }, false],
  ])("%j: %s, as the engine has it", (sent, isTaken) => {
    expect(Order.safeParse(sent).success).toBe(isTaken);
    expect(faultsIn(schema, sent).length === 0).toBe(isTaken);
  });

  test("types know the preferred spelling alone", () => {
    const { properties, allOf } = inputSchema(Order, "types");
    expect(Object.keys(properties ?? {})).toEqual([
      "orderId",
      "note",
      "sentBy",
      "mainPart",
      "parts",
      "byPlace",
    ]);
    expect(allOf).toBeUndefined();
  });
});

test("what its handler reads itself reaches it as it was sent, unknown keys too, and is published as it should be", () => {
  const shape = z.strictObject({ ruleId: z.string() });
  const schema = anySpelling(z.object({ ruleSets: z.array(readByHandler(shape)) }));
  const sent = { rule_id: "x", unknown: 1 };
  expect(schema.parse({ rule_sets: [sent] })).toEqual({ ruleSets: [sent] });
  const respelt = anySpelling(z.object({ ruleSets: z.array(describedAs(z.unknown(), shape)) }));
  expect(respelt.parse({ rule_sets: [sent] })).toEqual({ ruleSets: [{ ruleId: "x" }] });
  const published = JSON.stringify(inputSchema(schema, "published"));
  expect(published).toContain("ruleId");
  expect(published).not.toContain("rule_id");
});
