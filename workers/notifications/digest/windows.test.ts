/** Windows and quiet hours, beside a brute force that looks at the clock on the wall minute by minute. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dueAt, type Rhythm } from "./windows.ts";

const MINUTE_MS = 60_000;
const ZONES = [
  "UTC",
  "Europe/Madrid",
  "America/New_York",
  "America/Mexico_City",
  "America/Argentina/Buenos_Aires",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  // Half an hour of daylight saving.
  "Australia/Lord_Howe",
  // Gaps and overlaps at midnight.
  "America/Santiago",
  "Africa/Cairo",
  // 12:45 from UTC, with daylight saving.
  "Pacific/Chatham",
  // Twice a year for Ramadan.
  "Africa/Casablanca",
];

const formats = new Map<string, Intl.DateTimeFormat>();
/** What the platform, not the code under test, says that the clock on the wall shows. */
function wall(timeZone: string, atMs: number): { date: string; minute: number } {
  let format = formats.get(timeZone);
  if (format === undefined) {
    const digits = {
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
    } as const;
    format = new Intl.DateTimeFormat("sv-SE", { timeZone, ...digits, hourCycle: "h23" });
    formats.set(timeZone, format);
  }
  const [date = "", time = ""] = format.format(atMs).split(" ");
  const [hour, minute] = time.split(":").map(Number);
  return { date, minute: Number(hour) * 60 + Number(minute) };
}

function bruteForce({ timeZone, windowMinutes, quiet }: Rhythm, atMs: number): number {
  const windowAt = (ms: number) => {
    const { date, minute } = wall(timeZone, ms);
    return `${date} ${Math.floor(minute / windowMinutes)}`;
  };
  const isQuiet = (ms: number) => {
    if (quiet === undefined || quiet.from === quiet.to) return false;
    const { minute } = wall(timeZone, ms);
    return quiet.from < quiet.to
      ? minute >= quiet.from && minute < quiet.to
      : minute >= quiet.from || minute < quiet.to;
  };
  let ms = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
  const own = windowAt(ms);
  while (windowAt(ms) === own) ms += MINUTE_MS;
  while (isQuiet(ms)) ms += MINUTE_MS;
  return ms;
}

const minuteOfDay = fc.integer({ min: 0, max: 1_439 });
const rhythm: fc.Arbitrary<Rhythm> = fc.record({
  timeZone: fc.constantFrom(...ZONES),
  windowMinutes: fc.oneof(
    fc.constantFrom(5, 15, 60, 240, 1_440),
    fc.integer({ min: 1, max: 1_440 }),
  ),
  quiet: fc.option(fc.record({ from: minuteOfDay, to: minuteOfDay }), { nil: undefined }),
});
/** Around each change of 2026 in those zones, and anywhere. */
const CHANGES = [
  "2026-03-08T07:00Z",
  "2026-11-01T06:00Z",
  "2026-03-29T01:00Z",
  "2026-10-25T01:00Z",
  "2026-04-04T15:00Z",
  "2026-10-03T15:30Z",
  "2026-04-05T03:00Z",
  "2026-09-06T04:00Z",
  "2026-04-23T22:00Z",
  "2026-10-29T21:00Z",
  "2026-04-04T14:00Z",
  "2026-09-26T14:00Z",
  "2026-02-15T02:00Z",
  "2026-03-22T02:00Z",
].map(Date.parse);
const instant = fc.oneof(
  fc
    .tuple(fc.constantFrom(...CHANGES), fc.integer({ min: -86_400_000, max: 86_400_000 }))
    .map(([at, by]) => at + by),
  fc
    .tuple(fc.constantFrom(...CHANGES), fc.integer({ min: -3_600_000, max: 3_600_000 }))
    .map(([at, by]) => at + by),
  fc.integer({ min: Date.parse("2024-01-01"), max: Date.parse("2030-01-01") }),
);

test("as a brute force, minute by minute, says it: any zone, window and quiet hours", () => {
  fc.assert(
    fc.property(rhythm, instant, (given, atMs) => {
      expect(dueAt(given, atMs)).toBe(bruteForce(given, atMs));
    }),
    { numRuns: Number(process.env.WINDOW_RUNS ?? 400) },
  );
});

test("it is later than what it is for, and who comes in between leaves with it", () => {
  fc.assert(
    fc.property(
      rhythm,
      instant,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (given, atMs, part) => {
        const due = dueAt(given, atMs);
        expect(due).toBeGreaterThan(atMs);
        const between = Math.floor(atMs + (due - 1 - atMs) * part);
        expect(dueAt(given, between)).toBeGreaterThanOrEqual(due);
        expect(dueAt(given, between)).toBeLessThanOrEqual(dueAt(given, due));
      },
    ),
  );
});

describe("changes of the clock", () => {
  const iso = (given: Partial<Rhythm>, at: string) =>
    new Date(
      dueAt({ timeZone: "UTC", windowMinutes: 5, quiet: undefined, ...given }, Date.parse(at)),
    ).toISOString();
  const quiet = (from: string, to: string) => {
    const minutes = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
    return { from: minutes(from), to: minutes(to) };
  };
  const madrid = "Europe/Madrid";

  test.each([
    ["a plain window", {}, "2026-05-05T10:02:30Z", "2026-05-05T10:05:00.000Z"],
    ["at its very start", {}, "2026-05-05T10:05:00Z", "2026-05-05T10:10:00.000Z"],
    ["its last millisecond", {}, "2026-05-05T10:09:59.999Z", "2026-05-05T10:10:00.000Z"],
    [
      "the last one ends with the day",
      { windowMinutes: 7 },
      "2026-05-05T23:59:30Z",
      "2026-05-06T00:00:00.000Z",
    ],
    [
      "a day in Madrid",
      { timeZone: madrid, windowMinutes: 1_440 },
      "2026-05-05T10:00Z",
      "2026-05-05T22:00:00.000Z",
    ],
    [
      "a day of 23 hours",
      { timeZone: madrid, windowMinutes: 1_440 },
      "2026-03-29T00:30Z",
      "2026-03-29T22:00:00.000Z",
    ],
    [
      "a day of 25 hours",
      { timeZone: madrid, windowMinutes: 1_440 },
      "2026-10-25T00:30Z",
      "2026-10-25T23:00:00.000Z",
    ],
    [
      "an hour that comes twice, first",
      { timeZone: madrid, windowMinutes: 60 },
      "2026-10-25T00:30Z",
      "2026-10-25T02:00:00.000Z",
    ],
    [
      "half an hour that comes twice",
      { timeZone: madrid, windowMinutes: 30 },
      "2026-10-25T00:10Z",
      "2026-10-25T00:30:00.000Z",
    ],
    [
      "overnight",
      { timeZone: madrid, quiet: quiet("22:00", "07:00") },
      "2026-05-05T21:00Z",
      "2026-05-06T05:00:00.000Z",
    ],
    [
      "a window that ends as they begin",
      { timeZone: madrid, quiet: quiet("22:00", "07:00") },
      "2026-05-05T19:57Z",
      "2026-05-06T05:00:00.000Z",
    ],
    [
      "a window that ends as they end",
      { timeZone: madrid, quiet: quiet("22:00", "07:00") },
      "2026-05-06T04:57Z",
      "2026-05-06T05:00:00.000Z",
    ],
    [
      "they end in a gap",
      { timeZone: madrid, quiet: quiet("22:00", "02:30") },
      "2026-03-28T23:00Z",
      "2026-03-29T01:00:00.000Z",
    ],
    [
      "they end in an overlap",
      { timeZone: madrid, quiet: quiet("22:00", "02:30") },
      "2026-10-24T23:00Z",
      "2026-10-25T00:30:00.000Z",
    ],
    [
      "they lie in a gap",
      { timeZone: madrid, quiet: quiet("02:10", "02:50") },
      "2026-03-29T00:57Z",
      "2026-03-29T01:00:00.000Z",
    ],
    [
      "midnight does not exist in Santiago",
      { timeZone: "America/Santiago", windowMinutes: 1_440 },
      "2026-09-06T03:30Z",
      "2026-09-06T04:00:00.000Z",
    ],
    [
      "the hour before midnight comes twice in Cairo",
      { timeZone: "Africa/Cairo", windowMinutes: 60 },
      "2026-10-29T20:30Z",
      "2026-10-29T22:00:00.000Z",
    ],
    [
      "a gap of half an hour",
      { timeZone: "Australia/Lord_Howe", windowMinutes: 60 },
      "2026-10-03T15:10Z",
      "2026-10-03T15:30:00.000Z",
    ],
    [
      "all day is never",
      { quiet: quiet("08:00", "08:00") },
      "2026-05-05T10:02Z",
      "2026-05-05T10:05:00.000Z",
    ],
    [
      "nobody knows the zone",
      { timeZone: "Mars/Olympus" },
      "2026-05-05T10:02Z",
      "2026-05-05T10:05:00.000Z",
    ],
  ])("%s", (_, given, at, due) => {
    expect(iso(given, at)).toBe(due);
  });
});
