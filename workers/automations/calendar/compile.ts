/**
 * Working time, as sorted intervals of UTC: compiled once for a calendar, a year at a time as far as is asked, and
 * bisected. A wall time that the clock leaps over is no time; one that comes twice is worked twice.
 */
import { type BusinessCalendar, DAYS, minuteOf } from "./schema.ts";
import { type Stretch, stretchesOf } from "./zone.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** How much is compiled at a time. */
const PIECE_DAYS = 366;
/** From the first instant that is asked about. What would be due later never is. */
export const HORIZON_DAYS = 100 * 366;

/** A clock that goes at some times and stands at others. All times are epoch milliseconds. */
export interface WorkingTime {
  /** How much of the time from one instant to a later one is working time. */
  between(fromMs: number, toMs: number): number;
  /** The instant at which so much working time has passed; undefined past the horizon of a hundred years. */
  after(fromMs: number, workMs: number): number | undefined;
  /** How many are compiled: what it takes of memory, in some 30 bytes. */
  readonly intervals: number;
}

/** The clock that always goes. */
export const ALWAYS: WorkingTime = {
  between: (fromMs, toMs) => Math.max(0, toMs - fromMs),
  after: (fromMs, workMs) => fromMs + workMs,
  intervals: 0,
};

export function compileCalendar(calendar: BusinessCalendar): WorkingTime {
  return new CompiledCalendar(calendar);
}

/** Minutes of a local day, from and to. */
type DayPeriods = readonly (readonly [number, number])[];

class CompiledCalendar implements WorkingTime {
  readonly #timeZone: string;
  /** By day of the week, Monday first; sorted, none touches the next. */
  readonly #week: DayPeriods[];
  /** As days since 1970. */
  readonly #holidays: ReadonlySet<number>;
  /** Where the compiled part begins and ends; empty at first. */
  #fromMs = 0;
  #toMs = 0;
  #starts: number[] = [];
  #ends: number[] = [];
  /** Working time of all intervals before each. */
  #before: number[] = [];

  constructor({ timeZone, periods, holidays }: BusinessCalendar) {
    this.#timeZone = timeZone;
    this.#week = DAYS.map((day) =>
      merged(
        periods
          .filter(({ days }) => days.includes(day))
          .map(({ from, to }) => [minuteOf(from), minuteOf(to)] as const),
      ),
    );
    this.#holidays = new Set(holidays.map((day) => Date.parse(`${day}T00:00:00Z`) / DAY_MS));
  }

  get intervals(): number {
    return this.#starts.length;
  }

  between(fromMs: number, toMs: number): number {
    if (toMs <= fromMs) return 0;
    this.#cover(fromMs, toMs);
    return this.#workedUntil(toMs) - this.#workedUntil(fromMs);
  }

  after(fromMs: number, workMs: number): number | undefined {
    this.#cover(fromMs, fromMs + 1);
    const horizonMs = fromMs + HORIZON_DAYS * DAY_MS;
    for (;;) {
      const target = this.#workedUntil(fromMs) + workMs;
      const at = lastBefore(this.#before, target);
      // The interval in which it is reached, if it is compiled.
      const reached =
        at < 0 ? Number.NaN : (this.#starts[at] ?? 0) + target - (this.#before[at] ?? 0);
      if (workMs <= 0) return fromMs;
      // However much is compiled already, an answer is the same.
      if (reached <= (this.#ends[at] ?? -1)) return reached <= horizonMs ? reached : undefined;
      if (this.#toMs >= horizonMs) return undefined;
      this.#cover(fromMs, this.#toMs + PIECE_DAYS * DAY_MS);
    }
  }

  /** From the begin of what is compiled. */
  #workedUntil(ms: number): number {
    const at = lastBefore(this.#starts, ms);
    if (at < 0) return 0;
    const start = this.#starts[at] as number;
    return (this.#before[at] as number) + Math.min(ms, this.#ends[at] as number) - start;
  }

  #cover(fromMs: number, toMs: number): void {
    const piece = PIECE_DAYS * DAY_MS;
    if (this.#fromMs === this.#toMs) {
      this.#fromMs = Math.floor(fromMs / DAY_MS) * DAY_MS - DAY_MS;
      this.#toMs = this.#fromMs;
    }
    if (fromMs < this.#fromMs) {
      const from = Math.floor(Math.min(fromMs, this.#fromMs - piece) / DAY_MS) * DAY_MS;
      this.#set(from, this.#toMs);
    }
    if (toMs > this.#toMs) this.#set(this.#fromMs, Math.max(toMs, this.#toMs + piece));
  }

  #set(fromMs: number, toMs: number): void {
    const isLater = fromMs === this.#fromMs;
    if (!isLater) this.#starts = [];
    const from = isLater ? this.#toMs : fromMs;
    if (!isLater) {
      this.#ends = [];
      this.#before = [];
    }
    for (const stretch of stretchesOf(this.#timeZone, from, toMs)) this.#addStretch(stretch);
    this.#fromMs = fromMs;
    this.#toMs = toMs;
  }

  #addStretch({ fromMs, toMs, offsetMs }: Stretch): void {
    const lastDay = Math.floor((toMs + offsetMs - 1) / DAY_MS);
    for (let day = Math.floor((fromMs + offsetMs) / DAY_MS); day <= lastDay; day++) {
      if (this.#holidays.has(day)) continue;
      // The first of January 1970 was a Thursday.
      const periods = this.#week[(((day + 3) % 7) + 7) % 7] as DayPeriods;
      for (const [from, to] of periods)
        this.#addInterval(
          Math.max(fromMs, day * DAY_MS + from * MINUTE_MS - offsetMs),
          Math.min(toMs, day * DAY_MS + to * MINUTE_MS - offsetMs),
        );
    }
  }

  #addInterval(start: number, end: number): void {
    if (end <= start) return;
    const last = this.#ends.length - 1;
    if (this.#ends[last] === start) {
      this.#ends[last] = end;
      return;
    }
    const before =
      last < 0
        ? 0
        : (this.#before[last] as number) +
          (this.#ends[last] as number) -
          (this.#starts[last] as number);
    this.#starts.push(start);
    this.#ends.push(end);
    this.#before.push(before);
  }
}

/** Sorted, and one where they meet or overlap. */
function merged(periods: readonly (readonly [number, number])[]): DayPeriods {
  const result: [number, number][] = [];
  for (const [from, to] of periods.toSorted(([a], [b]) => a - b)) {
    const last = result.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else result.push([from, to]);
  }
  return result;
}

/** The last place whose value is less than `value`; -1 where none is. */
function lastBefore(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
