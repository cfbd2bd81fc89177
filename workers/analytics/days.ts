/** Local calendar days: which instants begin and end them in a time zone, DST and skipped days included. */

export const DAY_MS = 86_400_000;

/** A calendar of consecutive local days. */
export interface Days {
  /** YYYY-MM-DD, in order. */
  dates: string[];
  /** For each day, the instant (epoch ms) at which the next one begins: the day holds what is before it. */
  endsMs: Float64Array;
  /** The instant at which the first day begins. */
  startMs: number;
}

const formatters = new Map<string, Intl.DateTimeFormat | null>();

function formatterOf(timeZone: string): Intl.DateTimeFormat | null {
  let formatter = formatters.get(timeZone);
  if (formatter === undefined) {
    try {
      formatter = new Intl.DateTimeFormat("en-US", {
        timeZone,
        calendar: "iso8601",
        hourCycle: "h23",
        era: "short",
        year: "numeric",
        month: "2-digit",
        day: "2-digit",
        hour: "2-digit",
        minute: "2-digit",
        second: "2-digit",
      });
    } catch {
      formatter = null;
    }
    // Names come from callers, so the cache is bounded.
    if (formatters.size >= 1_000) formatters.clear();
    formatters.set(timeZone, formatter);
  }
  return formatter;
}

/** Whether Intl knows the zone. */
export const isTimeZone = (timeZone: string) => formatterOf(timeZone) !== null;

/** The zone's offset from UTC in ms at an instant, positive to the east. */
function offsetMs(timeZone: string, atMs: number): number {
  const formatter = formatterOf(timeZone);
  if (!formatter) throw new RangeError(`no time zone ${timeZone}`);
  const part: Record<string, number> = {};
  for (const { type, value } of formatter.formatToParts(atMs)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  const wallMs = Date.UTC(year, month - 1, day, hour, minute, second);
  return wallMs - Math.floor(atMs / 1000) * 1000;
}

/** UTC midnight of a date, as a number to count days with. */
const utcMidnightMs = (date: string) => Date.parse(`${date}T00:00:00Z`);
const dateOfMs = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** The date so many days later (or earlier, if negative). */
export const addDays = (date: string, days: number) =>
  dateOfMs(utcMidnightMs(date) + days * DAY_MS);

/** Days from one date to another; 0 when equal. */
export const daysBetween = (from: string, to: string) =>
  Math.round((utcMidnightMs(to) - utcMidnightMs(from)) / DAY_MS);

/**
 * The first instant of a local day. Where midnight happens twice it is the first one; where clocks
 * skip it (São Paulo's DST until 2018), the first instant after the gap; a day that a zone left out
 * (Apia, 2011-12-30) begins, and ends, when the next one begins. The rule of ECMAScript's Temporal.
 */
function dayStartMs(
  midnightMs: number,
  offsetBeforeMs: number,
  offsetAfterMs: number,
  timeZone: string,
): number {
  const first = midnightMs - offsetBeforeMs;
  if (offsetBeforeMs === offsetAfterMs) return first;
  const second = midnightMs - offsetAfterMs;
  const valid = [first, second].filter((ms) => ms + offsetMs(timeZone, ms) === midnightMs);
  if (valid.length > 0) return Math.min(...valid);
  // A gap: find the transition in it.
  let before = midnightMs - DAY_MS - offsetBeforeMs;
  let after = midnightMs + DAY_MS - offsetAfterMs;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (offsetMs(timeZone, middle) === offsetBeforeMs) before = middle;
    else after = middle;
  }
  return after;
}

const calendars = new Map<string, Days>();

/** The days `from` to `to` (both included) in a time zone; cached. */
export function daysOf(from: string, to: string, timeZone: string): Days {
  const key = `${from} ${to} ${timeZone}`;
  const cached = calendars.get(key);
  if (cached) return cached;
  const length = Math.max(0, daysBetween(from, to) + 1);
  const first = utcMidnightMs(from);
  // One look-up a day: offsets are within ±14 h, so a day before and after UTC midnight brackets the local one.
  const offsets = new Float64Array(length + 3);
  for (let i = 0; i < offsets.length; i++)
    offsets[i] = offsetMs(timeZone, first + (i - 1) * DAY_MS);
  const startOf = (i: number) =>
    dayStartMs(first + i * DAY_MS, offsets[i] as number, offsets[i + 2] as number, timeZone);
  const dates: string[] = [];
  const endsMs = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    dates.push(dateOfMs(first + i * DAY_MS));
    endsMs[i] = startOf(i + 1);
  }
  const days = { dates, endsMs, startMs: startOf(0) };
  if (calendars.size >= 64) calendars.clear();
  calendars.set(key, days);
  return days;
}

/** The local date of an instant. */
export const dateOf = (atMs: number, timeZone: string) => dateOfMs(atMs + offsetMs(timeZone, atMs));

/** The index of the first day that ends after the instant: the day that holds it, 0 for all before; `length` when past the end. */
export function dayIndex({ endsMs }: Days, atMs: number): number {
  let low = 0;
  let high = endsMs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((endsMs[middle] as number) > atMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** ISO 8601 week of a date, and its Monday. The week's year is that of its Thursday. */
export function isoWeek(date: string): { week: string; monday: string } {
  const ms = utcMidnightMs(date);
  const weekday = (new Date(ms).getUTCDay() + 6) % 7;
  const thursday = new Date(ms + (3 - weekday) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const number = 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY_MS));
  return {
    week: `${year}-W${String(number).padStart(2, "0")}`,
    monday: dateOfMs(ms - weekday * DAY_MS),
  };
}
