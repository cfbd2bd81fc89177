/** Numbers at the edge of a double: which are refused, and which are taken. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BadJson, readJson } from "./json.ts";

const reads = (text: string) => {
  try {
    readJson(Buffer.from(`{"n":${text}}`));
    return true;
  } catch (error) {
    if (!(error instanceof BadJson)) throw error;
    return false;
  }
};

/** A number's exact value as a fraction of two whole numbers, worked out from its text. */
function exact(text: string): { over: bigint; under: bigint } {
  const [, sign, whole = "", fraction = "", e = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const power = Number(e) - fraction.length;
  const digits = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  return power >= 0
    ? { over: digits * 10n ** BigInt(power), under: 1n }
    : { over: digits, under: 10n ** BigInt(-power) };
}
const equal = (a: string, b: string) => {
  const [x, y] = [exact(a), exact(b)];
  return x.over * y.under === y.over * x.under;
};
const isWhole = (text: string) => exact(text).over % exact(text).under === 0n;
const abs = (n: bigint) => (n < 0n ? -n : n);
const isPast2To53 = (text: string) => {
  const { over, under } = exact(text);
  return abs(over) > (2n ** 53n - 1n) * under;
};

/** The same number with its point moved by `places`, and that undone by an exponent. */
function moved(digits: string, places: number): string {
  if (places <= 0) return `${digits}${"0".repeat(-places)}e${places}`;
  const padded = digits.padStart(places + 1, "0");
  return `${padded.slice(0, -places)}.${padded.slice(-places)}e+${places}`;
}

const bigDigits = fc.bigInt({ min: 2n ** 53n - 4n, max: 2n ** 70n }).map(String);

describe("numbers", () => {
  test("a whole number that a double changes is refused, however it is written", () => {
    fc.assert(
      fc.property(bigDigits, fc.integer({ min: -30, max: 30 }), (digits, places) => {
        const isLost = BigInt(Number(digits)) !== BigInt(digits);
        for (const text of [digits, `-${digits}`, `${digits}.0`])
          if (isLost) expect([text, reads(text)]).toEqual([text, false]);
        // With an exponent, as of 1e23, what is written as the same value again has not changed.
        const text = moved(digits, places);
        if (isLost && !equal(text, String(Number(text))))
          expect([text, reads(text)]).toEqual([text, false]);
      }),
      { numRuns: 1_000 },
    );
  });

  test("any other is taken where what it becomes is written as the same value again", () => {
    const decimal = fc
      .tuple(
        fc.constantFrom("", "-"),
        fc.bigInt({ min: 0n, max: 10n ** 24n }).map(String),
        fc.option(fc.stringMatching(/^[0-9]{1,25}$/), { nil: undefined }),
        fc.option(fc.integer({ min: -40, max: 40 }), { nil: undefined }),
      )
      .map(
        ([sign, whole, fraction, e]) =>
          `${sign}${whole}${fraction === undefined ? "" : `.${fraction}`}${e === undefined ? "" : `e${e}`}`,
      );
    fc.assert(
      fc.property(decimal, (text) => {
        const isSpelledOut = !text.includes("e") && isWhole(text);
        const isKept = equal(text, String(Number(text))) && !isSpelledOut;
        expect([text, reads(text)]).toEqual([text, !isPast2To53(text) || isKept]);
      }),
      { numRuns: 2_000 },
    );
  });

  test("a double that JSON.stringify wrote with an exponent is taken", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(text.includes("e") || Math.abs(value) < 2 ** 53);
        expect([text, reads(text)]).toEqual([text, true]);
      }),
    );
  });

  test.each([
    "9007199254740993",
    "9007199254740993.0",
    "9.007199254740993e15",
    "90071992547409930e-1",
    "0.9007199254740993E+16",
    "10000000000000001",
    "1.0000000000000001e16",
    "9007199254740992",
    "9007199254740994.0",
    "9007199254740993.5",
    "-9007199254740993.0",
    "1e400",
    "-1e400",
  ])("refuses %s", (text) => {
    expect(reads(text)).toBe(false);
  });

  test.each([
    "9007199254740991",
    "9007199254740991.0",
    "0.1",
    "0.1234567890123456789",
    "-0",
    "-0.0e99999",
    "1e21",
    "1.7976931348623157e308",
    "1e-99999",
  ])("takes %s", (text) => {
    expect(reads(text)).toBe(true);
  });

  test("a long run of zeros takes no time that grows with its square", () => {
    const text = `1${"0".repeat(500_000)}1e-499000`;
    const startedAt = performance.now();
    expect(reads(text)).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});
