/** What a body may be, and that its hash follows its value alone. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BadJson, digest, readJson } from "./json.ts";

const read = (text: string) => readJson(Buffer.from(text));
const list = (length: number, of: (index: number) => string) =>
  Array.from({ length }, (_, i) => of(i)).join();
const unsafe = (value: unknown): boolean =>
  typeof value === "number"
    ? !Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))
    : typeof value === "object" &&
      value !== null &&
      Object.entries(value).some(([key, v]) => key === "__proto__" || unsafe(v));

/** The same value with the keys of every object in another order. */
function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, v]) => [key, shuffled(v)]),
  );
}

describe("readJson", () => {
  test("reads what JSON.parse reads, and its hash does not depend on key order or white space", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        fc.pre(!unsafe(value));
        const text = JSON.stringify(value);
        const a = read(text);
        expect(a.value).toEqual(JSON.parse(text));
        expect(read(JSON.stringify(shuffled(JSON.parse(text)), null, 2)).canonicalHash).toBe(
          a.canonicalHash,
        );
      }),
    );
  });

  test("the value is as it was sent, whatever order its keys had", () => {
    const text = '{"b":[{"d":1,"c":[2,{"f":3,"e":4}]},{"a":1}],"a":{},"10":1,"2":{"z":1,"y":2}}';
    const { value, canonicalHash } = read(text);
    expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(text)));
    const ordered = '{"2":{"y":2,"z":1},"10":1,"a":{},"b":[{"c":[2,{"e":4,"f":3}],"d":1},{"a":1}]}';
    expect(canonicalHash).toBe(digest(ordered));
  });

  test("different values have different hashes", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        fc.pre(!unsafe(a) && !unsafe(b));
        const [textA, textB] = [JSON.stringify(a), JSON.stringify(b)];
        const same = JSON.stringify(JSON.parse(textA)) === JSON.stringify(JSON.parse(textB));
        if (!same && read(textA).canonicalHash === read(textB).canonicalHash)
          // Equal but for the order of keys.
          expect(JSON.parse(textA)).toEqual(JSON.parse(textB));
      }),
    );
  });

  test("colons, braces and quotes inside strings do not count as structure", () => {
    expect(read(String.raw`{"a":"x:y\":{[","b\\":[":"]}`).value).toEqual({
      a: 'x:y":{[',
      "b\\": [":"],
    });
  });

  test.each([
    ['{"a":1,"a":2}', /same key twice/],
    ['{"a":{"b":1,"b":1}}', /same key twice/],
    ['{"n":123456789012345678}', /out of range/],
    ['{"n":-1e999}', /out of range/],
    ["[".repeat(65) + "]".repeat(65), /nests deeper/],
    [`[${"[],".repeat(200_000)}[]]`, /more than 200000 objects and arrays/],
    [`{${list(50_001, (n) => `"k${n}":1`)}}`, /an object has more than 50000 keys/],
    [`[${list(21, (n) => `{${list(20_000, (m) => `"k${n}-${m}":1`)}}`)}]`, /more than 400000 keys/],
    ['{"__proto__":{}}', /not allowed/],
    ["", /empty/],
    ["nul", /not valid JSON/],
  ])("refuses %.60s", (text, message) => {
    expect(() => read(text)).toThrow(message);
    expect(() => read(text)).toThrow(BadJson);
  });

  test.each([
    '{"n":1e21}',
    '{"n":0.1234567890123456789}',
    '{"id":"1234567890123456789"}',
    '{"n":-0}',
  ])("accepts %s", (text) => {
    expect(read(text).value).toEqual(JSON.parse(text));
  });
});
