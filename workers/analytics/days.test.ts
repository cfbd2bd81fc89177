import { expect, test } from "vitest";
import { addDays, dateOf, dayIndex, daysBetween, daysOf, isoWeek, isTimeZone } from "./days.ts";

const ends = (from: string, to: string, timeZone: string) =>
  Array.from(daysOf(from, to, timeZone).endsMs, (ms) => new Date(ms).toISOString());

test("a day lasts 23 hours when clocks go forward, and 25 when they go back", () => {
  expect(ends("2025-03-29", "2025-03-30", "Europe/Madrid")).toEqual([
    "2025-03-29T23:00:00.000Z",
    "2025-03-30T22:00:00.000Z",
  ]);
  expect(ends("2025-10-25", "2025-10-26", "Europe/Madrid")).toEqual([
    "2025-10-25T22:00:00.000Z",
    "2025-10-26T23:00:00.000Z",
  ]);
});

test("where midnight is skipped, the day begins after the gap; where it comes twice, at the first", () => {
  const gap = daysOf("2017-10-15", "2017-10-15", "America/Sao_Paulo");
  expect(new Date(gap.startMs).toISOString()).toBe("2017-10-15T03:00:00.000Z");
  expect(ends("2018-02-17", "2018-02-17", "America/Sao_Paulo")).toEqual([
    "2018-02-18T03:00:00.000Z",
  ]);
  // Until 2011 Newfoundland's clocks went back at 00:01, to 23:01 of the day before.
  expect(ends("2007-11-03", "2007-11-03", "America/St_Johns")).toEqual([
    "2007-11-04T02:30:00.000Z",
  ]);
});

test("a day that a zone left out is empty", () => {
  expect(ends("2011-12-29", "2011-12-31", "Pacific/Apia")).toEqual([
    "2011-12-30T10:00:00.000Z",
    "2011-12-30T10:00:00.000Z",
    "2011-12-31T10:00:00.000Z",
  ]);
});

test("the first instant of a day belongs to it, the last one before does not", () => {
  const days = daysOf("2025-06-01", "2025-06-03", "UTC");
  expect(dayIndex(days, Date.parse("2025-06-01T23:59:59.999Z"))).toBe(0);
  expect(dayIndex(days, Date.parse("2025-06-02T00:00:00.000Z"))).toBe(1);
  expect(dayIndex(days, Date.parse("2025-06-04T00:00:00.000Z"))).toBe(3);
  expect(dateOf(Date.parse("2025-01-01T23:30:00Z"), "Europe/Madrid")).toBe("2025-01-02");
});

test("weeks are those of ISO 8601", () => {
  expect(isoWeek("2026-01-01")).toEqual({ week: "2026-W01", monday: "2025-12-29" });
  expect(isoWeek("2024-12-30")).toEqual({ week: "2025-W01", monday: "2024-12-30" });
  expect(isoWeek("2021-01-03")).toEqual({ week: "2020-W53", monday: "2020-12-28" });
});

test("dates are counted across leap days and years", () => {
  expect(addDays("2024-02-28", 2)).toBe("2024-03-01");
  expect(addDays("2026-01-01", -1)).toBe("2025-12-31");
  expect(daysBetween("2024-01-01", "2025-01-01")).toBe(366);
});

test("only zones that exist are known", () => {
  expect(isTimeZone("America/Argentina/Buenos_Aires")).toBe(true);
  expect(isTimeZone("Mars/Olympus_Mons")).toBe(false);
});
