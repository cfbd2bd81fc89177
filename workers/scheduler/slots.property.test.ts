/** Slots against a slow search that knows no library of cron, at real changes of the clocks; jitter and intervals. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { readCron } from "./cron.ts";
import { jitterMs, nextSlots, slotId, slotsOf, timingKey } from "./slots.ts";
import { minuteByMinute, type Wall } from "./testing/minute-by-minute.ts";

const DAY_MS = 86_400_000;
/** Around each of them a clock changes somewhere. */
const CHANGES = [
  ["Australia/Lord_Howe", "2026-10-03"],
  ["Australia/Lord_Howe", "2026-04-04"],
  ["America/Santiago", "2026-09-06"],
  ["America/Santiago", "2026-04-05"],
  ["Africa/Cairo", "2026-04-24"],
  ["Africa/Cairo", "2026-10-29"],
  ["America/New_York", "2026-03-08"],
  ["America/New_York", "2026-11-01"],
  ["Europe/Madrid", "2026-03-29"],
  ["Pacific/Chatham", "2026-09-26"],
  ["Asia/Beirut", "2026-03-29"],
  ["America/Havana", "2026-11-01"],
  ["Asia/Kathmandu", "2026-06-01"],
] as const;

const some = (most: number) =>
  fc.uniqueArray(fc.integer({ min: 0, max: most }), { minLength: 1, maxLength: 4 });
const field = (most: number) =>
  fc.oneof(
    some(most).map((numbers) => ({ text: numbers.join(","), numbers })),
    fc.integer({ min: 1, max: most }).map((step) => ({
      text: `*/${step}`,
      numbers: Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step),
    })),
    fc.constant({ text: "*", numbers: Array.from({ length: most + 1 }, (_, n) => n) }),
  );
const days = fc.constantFrom<{ text: string; isDay(wall: Wall): boolean }>(
  { text: "* * *", isDay: () => true },
  { text: "* * 1-5", isDay: ({ weekday }) => weekday >= 1 && weekday <= 5 },
  { text: "* * 0", isDay: ({ weekday }) => weekday === 0 },
  { text: "5-8 * *", isDay: ({ day }) => day >= 5 && day <= 8 },
  { text: "6 * 5", isDay: ({ day, weekday }) => day === 6 || weekday === 5 },
  { text: "24 * +5", isDay: ({ day, weekday }) => day === 24 && weekday === 5 },
  { text: "* 3,4,9,10 *", isDay: ({ month }) => [3, 4, 9, 10].includes(month) },
);

test("the same slots as minute by minute", () => {
  fc.assert(
    fc.property(fc.constantFrom(...CHANGES), field(59), field(23), days, (change, m, h, d) => {
      const [zone, day] = change;
      const from = Date.parse(day) - DAY_MS;
      const until = from + 3 * DAY_MS;
      const next = readCron(`${m.text} ${h.text} ${d.text}`, zone);
      const slow = minuteByMinute(
        { minutes: m.numbers, hours: h.numbers, isDay: d.isDay },
        ...([zone, from, until] as const),
      );
      const found = nextSlots(next, from - 1, slow.length + 1).filter((ms) => ms < until);
      expect(found).toEqual(slow);
    }),
    { numRuns: 60 },
  );
});

test("wherever one asks, the next slot is the same", () => {
  const next = readCron("7,37 1-3 * * *", "America/New_York");
  const from = Date.parse("2026-10-31T00:00Z");
  const slots = nextSlots(next, from, 20);
  fc.assert(
    fc.property(fc.integer({ min: from, max: (slots.at(-1) as number) - 1 }), (ms) => {
      expect(next(ms)).toBe(slots.find((slot) => slot > ms));
    }),
  );
});

test("an interval's slots are anchored, whenever one asks", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 31_622_400 }),
      fc.integer({ min: 0, max: 32_000_000_000_000 }),
      fc.integer({ min: 0, max: 32_000_000_000_000 }),
      (everySeconds, anchorMs, afterMs) => {
        const next = slotsOf({ cron: undefined, everySeconds, anchorMs, timeZone: "UTC" });
        const slotMs = next(afterMs) as number;
        expect(slotMs).toBeGreaterThan(afterMs);
        expect(slotMs - afterMs).toBeLessThanOrEqual(everySeconds * 1_000);
        expect(Math.abs((slotMs - anchorMs) % (everySeconds * 1_000))).toBe(0);
      },
    ),
  );
});

test("jitter is the same for a slot wherever it is asked for, within its bounds, and spread over them", () => {
  const all = Array.from({ length: 2_000 }, (_, i) => jitterMs("a.b", i * 60_000, 30));
  expect(all).toEqual(Array.from({ length: 2_000 }, (_, i) => jitterMs("a.b", i * 60_000, 30)));
  expect(Math.min(...all)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...all)).toBeLessThanOrEqual(30_000);
  const mean = all.reduce((sum, ms) => sum + ms) / all.length;
  expect(Math.abs(mean - 15_000)).toBeLessThan(1_000);
  expect(jitterMs("a.b", 60_000, 30)).not.toBe(jitterMs("a.c", 60_000, 30));
  expect(jitterMs("a.b", 60_000, 0)).toBe(0);
});

test("a slot's id is a job's, for the longest name and the last slot", () => {
  const name = `${"e".repeat(40)}.${"s".repeat(40)}`;
  expect(slotId(name, Date.UTC(9999, 11, 31))).toMatch(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/);
});

test("a timing is another one when its slots are, and not for anything else", () => {
  const timing = { cron: "0 1 * * *", everySeconds: undefined, anchorMs: 0, timeZone: "UTC" };
  expect(timingKey({ ...timing, anchorMs: 5 })).toBe(timingKey(timing));
  expect(timingKey({ ...timing, timeZone: "Europe/Madrid" })).not.toBe(timingKey(timing));
  const interval = { ...timing, cron: undefined, everySeconds: 60 };
  expect(timingKey({ ...interval, anchorMs: 5 })).not.toBe(timingKey(interval));
});
