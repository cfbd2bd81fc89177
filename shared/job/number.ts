/** Tells whether a number means something else once it is read: JSON sets no limit, a double has one. */

/**
 * Fractions are rounded, as everybody expects. A whole number is not: past 2⁵³ one that is spelled out is
 * refused (the next one up may be another's id), and one with an exponent where it would change.
 * @param source the number as JSON has it; `value` is what JSON.parse makes of it.
 */
export function isChanged(value: number, source: string): boolean {
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return false;
  if (!Number.isFinite(value)) return true;
  const sent = decimalOf(source);
  if (!/e/i.test(source) && sent.exponent >= 0) return true;
  const read = decimalOf(String(value));
  return sent.digits !== read.digits || sent.exponent !== read.exponent;
}

interface Decimal {
  /** Without zeros at either end. */
  digits: string;
  /** The power of ten that the digits, as a whole number, are multiplied by. */
  exponent: number;
}

/** The exact value of a number that is not 0, in the one form that it has. */
function decimalOf(source: string): Decimal {
  const [mantissa = "", exponent = "0"] = source.slice(source.startsWith("-") ? 1 : 0).split(/e/i);
  const [whole = "", fraction = ""] = mantissa.split(".");
  const all = whole + fraction;
  let from = 0;
  let to = all.length;
  while (all[from] === "0") from++;
  while (to > from && all[to - 1] === "0") to--;
  return {
    digits: all.slice(from, to),
    exponent: Number(exponent) - fraction.length + all.length - to,
  };
}
