/** Compiled calendars against a clock that looks at the wall every minute, in any zone. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { compileCalendar } from "./compile.ts";
import { BusinessCalendar, DAYS } from "./schema.ts";

const MINUTE_MS = 60_000;
const QUARTER_MS = 15 * MINUTE_MS;
const RUNS = Number(process.env.CALENDAR_RUNS ?? 1_000);
const ZONES = [
  ...["UTC", "Europe/Madrid", "America/Bogota", "America/New_York", "America/Santiago"],
  ...["Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "America/Caracas"],
  ...["Asia/Tehran", "Africa/Casablanca", "America/Sao_Paulo", "Pacific/Chatham", "Asia/Pyongyang"],
];

const time = fc.integer({ min: 0, max: 1_440 }).map((minute) => {
  const two = (n: number) => String(n).padStart(2, "0");
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
});
const period = fc
  .tuple(fc.uniqueArray(fc.constantFrom(...DAYS), { minLength: 1 }), time, time)
  .filter(([, a, b]) => a !== b)
  .map(([days, ...times]) => {
    const [from = "", to = ""] = times.sort();
    return { days, from, to };
  });
/** Days on which clocks are set in one of the zones, and any others. */
const begin = fc.oneof(
  fc
    .constantFrom(
      ...["2026-04-04T00:00Z", "2026-09-05T00:00Z", "2026-04-23T18:00Z", "2026-10-29T18:00Z"],
      ...["2026-03-28T12:00Z", "2026-10-24T12:00Z", "2026-03-07T12:00Z", "2026-10-31T12:00Z"],
      ...["2026-10-03T10:00Z", "2011-12-29T00:00Z", "2015-08-14T00:00Z", "2024-02-28T12:00Z"],
    )
    .map((text) => Date.parse(text)),
  fc.integer({ min: Date.UTC(2010, 0), max: Date.UTC(2032, 0) }),
);
const calendar = fc.record({
  timeZone: fc.constantFrom(...ZONES),
  periods: fc.array(period, { minLength: 1, maxLength: 4 }),
  holidays: fc.array(
    fc
      .integer({ min: Date.UTC(2010, 0), max: Date.UTC(2032, 0) })
      .map((ms) => new Date(ms).toISOString().slice(0, 10)),
    { maxLength: 3 },
  ),
});

/** Whether the wall shows a time of work, as its formatter has it. */
function wallOf({ timeZone, periods, holidays }: BusinessCalendar): (ms: number) => boolean {
  const wall = new Intl.DateTimeFormat("en-CA", {
    ...{ timeZone, hourCycle: "h23", weekday: "long" },
    ...{ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" },
  });
  let quarter: { ms: number; shown: Record<string, string> } | undefined;
  return (ms) => {
    // No zone here changes its distance from UTC but at a quarter of an hour, and each is quarters away from it.
    const ownMs = Math.floor(ms / QUARTER_MS) * QUARTER_MS;
    if (quarter?.ms !== ownMs)
      quarter = {
        ms: ownMs,
        shown: Object.fromEntries(
          wall.formatToParts(ownMs).map(({ type, value }) => [type, value]),
        ),
      };
    const { shown } = quarter;
    const minute = Number(shown.minute) + (ms - ownMs) / MINUTE_MS;
    if (holidays.includes(`${shown.year}-${shown.month}-${shown.day}`)) return false;
    const at = `${shown.hour}:${String(minute).padStart(2, "0")}`;
    return periods.some(
      ({ days, from, to }) =>
        days.includes(String(shown.weekday).toLowerCase() as (typeof DAYS)[number]) &&
        from <= at &&
        at < to,
    );
  };
}

test("working time is what a clock counts that looks at the wall every minute", () => {
  fc.assert(
    fc.property(calendar, begin, fc.integer({ min: 1, max: 3_000 }), (sent, fromMs, minutes) => {
      const from = Math.floor(fromMs / MINUTE_MS) * MINUTE_MS;
      const parsed = BusinessCalendar.parse(sent);
      const works = wallOf(parsed);
      const compiled = compileCalendar(parsed);
      let worked = 0;
      const target = Math.ceil(minutes / 4);
      let due: number | undefined;
      for (let minute = 0; minute < minutes; minute++) {
        if (works(from + minute * MINUTE_MS)) worked++;
        if (worked === target) due ??= from + (minute + 1) * MINUTE_MS;
      }
      expect(compiled.between(from, from + minutes * MINUTE_MS)).toBe(worked * MINUTE_MS);
      if (due !== undefined) expect(compiled.after(from, target * MINUTE_MS)).toBe(due);
    }),
    { numRuns: RUNS },
  );
}, 600_000);

test("both ways agree, as far as a year before and after, in whatever order they are asked", () => {
  fc.assert(
    fc.property(
      calendar,
      fc.array(fc.tuple(begin, fc.integer({ min: 1, max: 40_000_000_000 })), { minLength: 1 }),
      (sent, asked) => {
        const compiled = compileCalendar(BusinessCalendar.parse(sent));
        for (const [from, work] of asked) {
          const due = compiled.after(from, work);
          if (due !== undefined) expect(compiled.between(from, due)).toBe(work);
        }
      },
    ),
    { numRuns: Math.ceil(RUNS / 10) },
  );
});

test("a calendar in which every day is a holiday comes to no end, and says so", () => {
  const never = compileCalendar(
    BusinessCalendar.parse({
      periods: [{ days: ["monday"], from: "02:00", to: "02:01" }],
      holidays: [],
    }),
  );
  expect(never.after(0, 1e15)).toBeUndefined();
  expect(never.after(0, 0)).toBe(0);
});

test("what lies past the horizon does so however much is compiled already", () => {
  const rare = () =>
    compileCalendar(
      BusinessCalendar.parse({ periods: [{ days: ["monday"], from: "02:00", to: "02:01" }] }),
    );
  // 5,300 weeks are more than a hundred years, and less than a hundred and one and two thirds.
  const workMs = 5_300 * MINUTE_MS;
  const asked = rare();
  asked.between(0, Date.UTC(2100, 0));
  expect(asked.after(0, workMs)).toBe(rare().after(0, workMs));
});

test("a calendar of more periods on a day than it can keep of a century is refused", () => {
  const days = (length: number) => ({
    periods: Array.from({ length }, (_, n) => ({
      days: ["monday"],
      from: `1${n}:00`,
      to: `1${n}:30`,
    })),
  });
  expect(BusinessCalendar.safeParse(days(6)).success).toBe(true);
  expect(BusinessCalendar.safeParse(days(7)).error?.issues).toMatchObject([
    { path: ["periods"], message: "at most 6 periods on one day of the week" },
  ]);
});
