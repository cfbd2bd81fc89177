/** The rule at changes of the clocks, case by case, and patterns that are refused. Found again minute by minute beside. */
import { describe, expect, test } from "vitest";
import { BadCron, readCron } from "./cron.ts";
import { nextSlots } from "./slots.ts";

/** What it shows, pattern, zone, from when, and the slots that follow. Instants are of the zone database of 2026. */
const CASES: [title: string, pattern: string, zone: string, after: string, slots: string[]][] = [
  [
    "Lord Howe leaps half an hour: 02:15 at its end, 02:30",
    "15 2 * * *",
    "Australia/Lord_Howe",
    "2026-10-02T16:00Z",
    ["2026-10-03T15:30Z", "2026-10-04T15:15Z", "2026-10-05T15:15Z"],
  ],
  [
    "just at the leap",
    "0 2 * * *",
    "Australia/Lord_Howe",
    "2026-10-02T16:00Z",
    ["2026-10-03T15:30Z", "2026-10-04T15:00Z", "2026-10-05T15:00Z"],
  ],
  [
    "just after it",
    "30 2 * * *",
    "Australia/Lord_Howe",
    "2026-10-02T16:00Z",
    ["2026-10-03T15:30Z", "2026-10-04T15:30Z", "2026-10-05T15:30Z"],
  ],
  [
    "two times that it leaps over are one run",
    "5,25 2 * * *",
    "Australia/Lord_Howe",
    "2026-10-03T12:00Z",
    ["2026-10-03T15:30Z", "2026-10-04T15:05Z", "2026-10-04T15:25Z"],
  ],
  [
    "every ten minutes of an hour of which half is gone",
    "*/10 2 * * *",
    "Australia/Lord_Howe",
    "2026-10-03T12:00Z",
    ["2026-10-03T15:30Z", "2026-10-03T15:40Z", "2026-10-03T15:50Z", "2026-10-04T15:00Z"],
  ],
  [
    "every hour goes on with the hours",
    "15 * * * *",
    "Australia/Lord_Howe",
    "2026-10-03T14:00Z",
    ["2026-10-03T14:45Z", "2026-10-03T16:15Z", "2026-10-03T17:15Z", "2026-10-03T18:15Z"],
  ],
  [
    "half an hour that comes twice: the first time",
    "45 1 * * *",
    "Australia/Lord_Howe",
    "2026-04-03T15:00Z",
    ["2026-04-04T14:45Z", "2026-04-05T15:15Z", "2026-04-06T15:15Z"],
  ],
  [
    "its end is shown once",
    "0 2 * * *",
    "Australia/Lord_Howe",
    "2026-04-03T15:00Z",
    ["2026-04-04T15:30Z", "2026-04-05T15:30Z", "2026-04-06T15:30Z"],
  ],
  [
    "every quarter of an hour follows the hours",
    "*/15 * * * *",
    "Australia/Lord_Howe",
    "2026-04-04T14:20Z",
    [
      "2026-04-04T14:30Z",
      "2026-04-04T14:45Z",
      "2026-04-04T15:00Z",
      "2026-04-04T15:15Z",
      "2026-04-04T15:30Z",
      "2026-04-04T15:45Z",
    ],
  ],
  [
    "Santiago leaps over midnight itself",
    "0 0 * * *",
    "America/Santiago",
    "2026-09-05T05:00Z",
    ["2026-09-06T04:00Z", "2026-09-07T03:00Z", "2026-09-08T03:00Z"],
  ],
  [
    "half past midnight that is leapt over",
    "30 0 * * *",
    "America/Santiago",
    "2026-09-05T05:00Z",
    ["2026-09-06T04:00Z", "2026-09-07T03:30Z", "2026-09-08T03:30Z"],
  ],
  [
    "two of them are one run, and no day goes without",
    "0,30 0 * * *",
    "America/Santiago",
    "2026-09-05T12:00Z",
    ["2026-09-06T04:00Z", "2026-09-07T03:00Z", "2026-09-07T03:30Z", "2026-09-08T03:00Z"],
  ],
  [
    "midnight and one o'clock are one instant",
    "0 0,1 * * *",
    "America/Santiago",
    "2026-09-05T12:00Z",
    ["2026-09-06T04:00Z", "2026-09-07T03:00Z", "2026-09-07T04:00Z"],
  ],
  [
    "every twelve hours",
    "0 */12 * * *",
    "America/Santiago",
    "2026-09-05T12:00Z",
    ["2026-09-05T16:00Z", "2026-09-06T04:00Z", "2026-09-06T15:00Z", "2026-09-07T03:00Z"],
  ],
  [
    "Sundays alone",
    "0 0 * * 0",
    "America/Santiago",
    "2026-09-05T12:00Z",
    ["2026-09-06T04:00Z", "2026-09-13T03:00Z"],
  ],
  [
    "the first of a month, and an hour that comes twice before midnight",
    "30 23 * * *",
    "America/Santiago",
    "2026-04-04T03:00Z",
    ["2026-04-05T02:30Z", "2026-04-06T03:30Z", "2026-04-07T03:30Z"],
  ],
  [
    "the hour from eleven comes twice: each minute of it once",
    "*/30 23 * * *",
    "America/Santiago",
    "2026-04-04T12:00Z",
    ["2026-04-05T02:00Z", "2026-04-05T02:30Z", "2026-04-06T03:00Z", "2026-04-06T03:30Z"],
  ],
  [
    "every hour comes with each",
    "0 * * * *",
    "America/Santiago",
    "2026-04-05T01:30Z",
    ["2026-04-05T02:00Z", "2026-04-05T03:00Z", "2026-04-05T04:00Z", "2026-04-05T05:00Z"],
  ],
  [
    "midnight after it",
    "0 0 * * *",
    "America/Santiago",
    "2026-04-04T04:30Z",
    ["2026-04-05T04:00Z", "2026-04-06T04:00Z"],
  ],
  [
    "Cairo leaps over midnight on a Friday",
    "0 0 * * *",
    "Africa/Cairo",
    "2026-04-22T23:00Z",
    ["2026-04-23T22:00Z", "2026-04-24T21:00Z", "2026-04-25T21:00Z"],
  ],
  [
    "last Friday of the month, at the midnight that isn't",
    "15 0 * * 5L",
    "Africa/Cairo",
    "2026-04-01T00:00Z",
    ["2026-04-23T22:00Z", "2026-05-28T21:15Z"],
  ],
  [
    "weekdays alone",
    "30 0 * * 1-5",
    "Africa/Cairo",
    "2026-04-23T00:00Z",
    ["2026-04-23T22:00Z", "2026-04-26T21:30Z", "2026-04-27T21:30Z"],
  ],
  [
    "an hour before midnight comes twice",
    "30 23 * * *",
    "Africa/Cairo",
    "2026-10-28T22:00Z",
    ["2026-10-29T20:30Z", "2026-10-30T21:30Z", "2026-10-31T21:30Z"],
  ],
  [
    "last Thursday, of which the last hour comes twice",
    "59 23 * * 4L",
    "Africa/Cairo",
    "2026-10-01T00:00Z",
    ["2026-10-29T20:59Z", "2026-11-26T21:59Z"],
  ],
  [
    "New York leaps over half past two",
    "30 2 * * *",
    "America/New_York",
    "2026-03-07T12:00Z",
    ["2026-03-08T07:00Z", "2026-03-09T06:30Z", "2026-03-10T06:30Z"],
  ],
  [
    "three o'clock there is",
    "0 3 * * *",
    "America/New_York",
    "2026-03-07T12:00Z",
    ["2026-03-08T07:00Z", "2026-03-09T07:00Z"],
  ],
  [
    "half past two and three o'clock are one instant",
    "0,30 2,3 * * *",
    "America/New_York",
    "2026-03-07T12:00Z",
    ["2026-03-08T07:00Z", "2026-03-08T07:30Z", "2026-03-09T06:00Z", "2026-03-09T06:30Z"],
  ],
  [
    "every two hours keep their hours",
    "0 */2 * * *",
    "America/New_York",
    "2026-03-08T04:30Z",
    ["2026-03-08T05:00Z", "2026-03-08T07:00Z", "2026-03-08T08:00Z", "2026-03-08T10:00Z"],
  ],
  [
    "every hour skips the one that isn't",
    "30 * * * *",
    "America/New_York",
    "2026-03-08T05:45Z",
    ["2026-03-08T06:30Z", "2026-03-08T07:30Z", "2026-03-08T08:30Z", "2026-03-08T09:30Z"],
  ],
  [
    "half past one comes twice: the first",
    "30 1 * * *",
    "America/New_York",
    "2026-10-31T12:00Z",
    ["2026-11-01T05:30Z", "2026-11-02T06:30Z", "2026-11-03T06:30Z"],
  ],
  [
    "one o'clock, too",
    "0 1 * * *",
    "America/New_York",
    "2026-10-31T12:00Z",
    ["2026-11-01T05:00Z", "2026-11-02T06:00Z"],
  ],
  [
    "a range of hours with the one that comes twice",
    "0 0-3 * * *",
    "America/New_York",
    "2026-11-01T00:00Z",
    [
      "2026-11-01T04:00Z",
      "2026-11-01T05:00Z",
      "2026-11-01T07:00Z",
      "2026-11-01T08:00Z",
      "2026-11-02T05:00Z",
    ],
  ],
  [
    "every half hour follows the hours",
    "*/30 * * * *",
    "America/New_York",
    "2026-11-01T04:45Z",
    [
      "2026-11-01T05:00Z",
      "2026-11-01T05:30Z",
      "2026-11-01T06:00Z",
      "2026-11-01T06:30Z",
      "2026-11-01T07:00Z",
    ],
  ],
  [
    "Feb 29 in leap years alone",
    "0 12 29 2 *",
    "America/New_York",
    "2026-03-01T00:00Z",
    ["2028-02-29T17:00Z", "2032-02-29T17:00Z", "2036-02-29T17:00Z"],
  ],
  [
    "Feb 29, 2100 is none",
    "0 0 29 2 *",
    "UTC",
    "2096-01-01T00:00Z",
    ["2096-02-29T00:00Z", "2104-02-29T00:00Z", "2108-02-29T00:00Z"],
  ],
  [
    "the 31st in months that have one",
    "0 0 31 * *",
    "Europe/Madrid",
    "2026-01-31T12:00Z",
    ["2026-03-30T22:00Z", "2026-05-30T22:00Z", "2026-07-30T22:00Z"],
  ],
  [
    "L, the last of each month",
    "0 9 L * *",
    "Europe/Madrid",
    "2027-12-31T12:00Z",
    ["2028-01-31T08:00Z", "2028-02-29T08:00Z", "2028-03-31T07:00Z"],
  ],
  [
    "LW, its last working day",
    "0 9 LW * *",
    "Europe/Madrid",
    "2026-01-01T00:00Z",
    ["2026-01-30T08:00Z", "2026-02-27T08:00Z", "2026-03-31T07:00Z"],
  ],
  [
    "the second Sunday, when New York leaps",
    "30 2 * * 0#2",
    "America/New_York",
    "2026-03-01T00:00Z",
    ["2026-03-08T07:00Z", "2026-04-12T06:30Z"],
  ],
  [
    "the fifth Friday, in months that have one",
    "0 0 * * 5#5",
    "UTC",
    "2026-01-01T00:00Z",
    ["2026-01-30T00:00Z", "2026-05-29T00:00Z", "2026-07-31T00:00Z"],
  ],
  [
    "the 13th or a Friday",
    "0 0 13 * 5",
    "UTC",
    "2026-11-07T00:00Z",
    ["2026-11-13T00:00Z", "2026-11-20T00:00Z", "2026-11-27T00:00Z", "2026-12-04T00:00Z"],
  ],
  [
    "the 13th and a Friday",
    "0 0 13 * +5",
    "UTC",
    "2026-01-01T00:00Z",
    ["2026-02-13T00:00Z", "2026-03-13T00:00Z", "2026-11-13T00:00Z"],
  ],
  [
    "15W, the working day nearest the 15th",
    "0 0 15W * *",
    "UTC",
    "2026-02-01T00:00Z",
    ["2026-02-16T00:00Z", "2026-03-16T00:00Z", "2026-04-15T00:00Z"],
  ],
  [
    "a zone 45 minutes off that leaps",
    "45 2 * * *",
    "Pacific/Chatham",
    "2026-09-25T14:00Z",
    ["2026-09-26T14:00Z", "2026-09-27T13:00Z", "2026-09-28T13:00Z"],
  ],
];

test.each(CASES)("%s (%s, %s)", (_title, pattern, zone, after, slots) => {
  const found = nextSlots(readCron(pattern, zone), Date.parse(after), slots.length);
  expect(found.map((ms) => new Date(ms).toISOString().replace(":00.000Z", "Z"))).toEqual(slots);
});

describe("refused, with what is wrong", () => {
  test.each([
    ["", "UTC", /can't be read/],
    ["* * * *", "UTC", /five/],
    ["* * * * * *", "UTC", /can't be read/],
    ["* * * * * * 2030", "UTC", /can't be read/],
    ["@daily", "UTC", /can't be read/],
    ["@reboot", "UTC", /can't be read/],
    ["2027-01-01T00:00:00", "UTC", /can't be read/],
    ["60 * * * *", "UTC", /minute/],
    ["* 24 * * *", "UTC", /hour/],
    ["* * 0 * *", "UTC", /day/],
    ["* * 32 * *", "UTC", /day/],
    ["* * * 13 *", "UTC", /month/],
    ["* * * * 9", "UTC", /can't be read/],
    ["* * * * 5#6", "UTC", /can't be read/],
    ["-1 * * * *", "UTC", /can't be read/],
    ["5-1 * * * *", "UTC", /can't be read/],
    ["*/0 * * * *", "UTC", /stepping/],
    ["/5 * * * *", "UTC", /stepping/],
    ["1e1 * * * *", "UTC", /can't be read/],
    ["0x1 * * * *", "UTC", /can't be read/],
    ["NaN * * * *", "UTC", /can't be read/],
    ["0 0 L-3 * *", "UTC", /can't be read/],
    ["0 0 * * \0", "UTC", /can't be read/],
    [`${"0,".repeat(32_000)}0 * * * *`, "UTC", /at most 200/],
    ["* * * * *", "Mars/Olympus", /no time zone/],
    ["* * * * *", "+01:00", /no time zone/],
    ["* * * * *", "../../etc/passwd", /no time zone/],
    ["* * * * *", "", /no time zone/],
    ["* * * * *", "A".repeat(65_536), /no time zone/],
  ])("%.40s in %.20s", (pattern, zone, message) => {
    const start = performance.now();
    expect(() => readCron(pattern, zone)).toThrow(BadCron);
    expect(() => readCron(pattern, zone)).toThrow(message);
    expect(performance.now() - start).toBeLessThan(200);
  });
});

test("what never comes to pass has no slot, and is found so at once", () => {
  const start = performance.now();
  expect(readCron("0 0 30 2 *", "America/Santiago")(Date.UTC(2026, 0))).toBeUndefined();
  expect(performance.now() - start).toBeLessThan(500);
});

test.each([8.64e15, -8.64e15, 8.64e15 + 1, Number.NaN, Number.POSITIVE_INFINITY])(
  "asked after %s it neither throws nor turns in circles",
  (ms) => {
    expect(() => readCron("0 0 29 2 *", "America/Santiago")(ms)).not.toThrow();
  },
);

test("the process's own zone is of no matter", () => {
  const before = process.env.TZ;
  try {
    const found = ["UTC", "America/Santiago", "Australia/Lord_Howe"].map((zone) => {
      process.env.TZ = zone;
      return nextSlots(readCron("30 2 * * *", "America/New_York"), Date.UTC(2026, 2, 6), 5);
    });
    expect(new Set(found.map(String)).size).toBe(1);
  } finally {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  }
});
