/** Schedules that are taken, and hostile ones that are not. */
import { expect, test } from "vitest";
import { ScheduleFile, ScheduleInput, specOf } from "./spec.ts";

const GOOD = { name: "analytics.nightly", type: "analytics.flow.v1", cron: "0 2 * * *" };
const parse = (more: object) => ScheduleInput.safeParse({ ...GOOD, ...more });

test("a schedule with what it is given by default", () => {
  expect(specOf(ScheduleInput.parse(GOOD))).toEqual({
    ...GOOD,
    ...{ anchorMs: 0, timeZone: "UTC", input: {}, jitterSeconds: 0, lane: "interactive" },
    ...{ overlap: "skip", runLimitSeconds: 3_600 },
    catchUp: { policy: "once", windowSeconds: 3_600 },
  });
});

test("snake_case, and an input whose keys stay as they are", () => {
  const { cron: _, ...rest } = GOOD;
  const spec = specOf(
    ScheduleInput.parse({
      ...rest,
      ...{ every_seconds: 90, anchor: "2026-01-01T01:00:00+01:00", jitter_seconds: 5 },
      ...{ catch_up: { policy: "skip" }, input: { workspace_id: 1, deep: { a_b: [null] } } },
    } as never),
  );
  expect(spec).toMatchObject({
    ...{ everySeconds: 90, anchorMs: Date.UTC(2026, 0), jitterSeconds: 5 },
    catchUp: { policy: "skip" },
    input: { workspace_id: 1, deep: { a_b: [null] } },
  });
});

test.each([
  ["no timing", { cron: undefined }, "cron"],
  ["two timings", { everySeconds: 60 }, "cron"],
  ["a cron that never fires", { cron: "0 0 30 2 *" }, "cron"],
  ["a cron of four fields", { cron: "* * * *" }, "cron"],
  ["a pattern of 64 kB", { cron: "0,".repeat(32_768) }, "cron"],
  ["a zone that isn't", { timeZone: "Mars/Olympus" }, "cron"],
  ["an offset as a zone", { timeZone: "+01:00" }, "cron"],
  ["an interval of 0", { cron: undefined, everySeconds: 0 }, "everySeconds"],
  ["of half a second", { cron: undefined, everySeconds: 0.5 }, "everySeconds"],
  ["of minus one", { cron: undefined, everySeconds: -1 }, "everySeconds"],
  ["of 1e300", { cron: undefined, everySeconds: 1e300 }, "everySeconds"],
  ["of more than a year", { cron: undefined, everySeconds: 40_000_000 }, "everySeconds"],
  ["anchored in the year 275760", { anchor: "+275760-09-13T00:00:00Z" }, "anchor"],
  ["anchored in the year 9999", { anchor: "9999-12-31T00:00:00Z" }, "anchor"],
  ["anchored without a zone", { anchor: "2026-01-01T00:00:00" }, "anchor"],
  ["anchored at no date", { anchor: "2026-02-30T00:00:00Z" }, "anchor"],
  ["a name with ../", { name: "../../x.y" }, "name"],
  ["a name with a colon", { name: "analytics.a:b" }, "name"],
  ["a name of one part", { name: "nightly" }, "name"],
  ["of three", { name: "analytics.a.b" }, "name"],
  ["with a NUL", { name: "analytics.a\0" }, "name"],
  ["with a line's end", { name: "analytics.a\n" }, "name"],
  ["in capitals", { name: "Analytics.a" }, "name"],
  ["an empty name", { name: "" }, "name"],
  ["a name of 64 kB", { name: `analytics.${"a".repeat(65_536)}` }, "name"],
  ["a type of another engine", { type: "activities.record.v1" }, "type"],
  ["a type without a version", { type: "analytics.flow" }, "type"],
  ["a type with a version 0", { type: "analytics.flow.v0" }, "type"],
  ["a jitter of a day", { jitterSeconds: 86_400 }, "jitterSeconds"],
  ["an unknown overlap", { overlap: "queue-all" }, "overlap"],
  ["all missed slots, one at a time", { catchUp: { policy: "all" } }, "overlap"],
  ["a window of a century", { catchUp: { windowSeconds: 3e9 } }, "catchUp"],
  ["an input of 64 kB and more", { input: { text: "x".repeat(65_536) } }, "input"],
  ["__proto__ as an overlap", { overlap: "__proto__" }, "overlap"],
  ["a lane that isn't", { lane: "express" }, "lane"],
])("refused: %s", (_what, more, path) => {
  const result = parse(more);
  expect(result.success).toBe(false);
  expect(result.error?.issues.map((issue) => issue.path[0])).toContain(path);
});

test("a file with one name twice, with what is no list, with a million schedules", () => {
  expect(ScheduleFile.safeParse([GOOD]).success).toBe(true);
  expect(ScheduleFile.safeParse([GOOD, GOOD]).success).toBe(false);
  expect(ScheduleFile.safeParse({}).success).toBe(false);
  expect(ScheduleFile.safeParse(new Array(1_000_000).fill(0)).success).toBe(false);
});
