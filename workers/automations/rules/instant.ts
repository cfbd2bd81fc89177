/** Reads dates, of which a rule compares instants. */

const PARTS =
  /^([+-]\d{6}|\d{4})-(\d{2})-(\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;
const DAYS_IN_LONG_MONTHS = 31;

/**
 * Epoch milliseconds of an ISO-8601 instant, or of the UTC midnight that a calendar day begins with. NaN for all else:
 * a day that no month has, a time without offset, a year past 275760.
 */
export function instantMs(text: unknown): number {
  if (typeof text !== "string" || text.length > 40) return Number.NaN;
  // Many rules ask for the date of one item.
  if (text === lastText) return lastMs;
  lastText = text;
  lastMs = parse(text);
  return lastMs;
}

let lastText = "";
let lastMs = Number.NaN;

function parse(text: string): number {
  const parts = PARTS.exec(text);
  if (parts === null) return Number.NaN;
  const [, year, month, day] = parts.map(Number) as [number, number, number, number];
  return day <= daysIn(year, month) && day > 0 ? Date.parse(text) : Number.NaN;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : DAYS_IN_LONG_MONTHS;
}

const isLeap = (year: number) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
