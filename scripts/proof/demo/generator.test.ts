import { expect, test } from "vitest";
import { randomFrom } from "../../show/random.ts";
import { nearestRank } from "../../show/statistics.ts";
import { HOUR_PERCENT, TRANSITIONS, WEEKDAY_PERCENT } from "./figures.ts";
import { generateHistory } from "./generator.ts";

const history = generateHistory({ seed: "tiendaleon" });
const changes = history.flatMap((issue) => issue.changes);
const perIssue = history.map((issue) => issue.changes.length);

/** Share in percent of each key. */
function shares(keys: (string | number | null)[]): Map<string | number | null, number> {
  const share = new Map<string | number | null, number>();
  for (const key of keys) share.set(key, (share.get(key) ?? 0) + 100 / keys.length);
  return share;
}

test("the same seed gives the same history, another seed another one", () => {
  const options = { seed: "a", months: 6 };
  expect(generateHistory(options)).toEqual(generateHistory(options));
  expect(generateHistory(options)).not.toEqual(generateHistory({ ...options, seed: "b" }));
});

test("its size is that of the real tracker", () => {
  expect(history.length).toBeGreaterThan(2_700);
  expect(history.length).toBeLessThan(3_300);
  expect(changes.length).toBeGreaterThan(10_000);
  expect(changes.length).toBeLessThan(12_500);
  expect(new Set(history.map((issue) => issue.project)).size).toBe(18);
  const months = [...Map.groupBy(history, (issue) => issue.createdAt.slice(0, 7)).values()];
  const perMonth = months.map((month) => month.length);
  expect(nearestRank(perMonth, 50)).toBeGreaterThan(18);
  expect(nearestRank(perMonth, 50)).toBeLessThan(28);
  expect(Math.max(...perMonth)).toBeLessThanOrEqual(101);
});

test("change sets per issue: mean 3.7, median 3, 90th percentile 7, at most 26", () => {
  expect(changes.length / history.length).toBeCloseTo(3.7, 0);
  expect(nearestRank(perIssue, 50)).toBe(3);
  expect(nearestRank(perIssue, 90)).toBeGreaterThanOrEqual(6);
  expect(nearestRank(perIssue, 90)).toBeLessThanOrEqual(8);
  expect(Math.max(...perIssue)).toBeLessThanOrEqual(26);
});

test("the busiest people, the types and the priorities have their shares", () => {
  const people = [...shares(changes.map((change) => change.by)).values()].sort((a, b) => b - a);
  for (const [rank, percent] of [20, 11, 8, 8, 6, 5, 4, 3, 3, 2].entries())
    expect(Math.abs((people[rank] ?? 0) - percent)).toBeLessThan(1.5);
  const priorities = shares(history.map((issue) => issue.priority));
  expect(Math.abs((priorities.get("Minor") ?? 0) - 64)).toBeLessThan(8);
  expect(Math.abs((priorities.get("Blocker") ?? 0) - 5)).toBeLessThan(3);
});

test("people work on the days and at the hours that they do", () => {
  const dates = changes.map((change) => new Date(change.at));
  const weekdays = shares(dates.map((date) => (date.getUTCDay() + 6) % 7));
  const hours = shares(dates.map((date) => date.getUTCHours()));
  for (const [day, percent] of WEEKDAY_PERCENT.entries())
    expect(Math.abs((weekdays.get(day) ?? 0) - percent)).toBeLessThan(4);
  for (const [hour, percent] of HOUR_PERCENT.entries())
    expect(Math.abs((hours.get(hour) ?? 0) - percent)).toBeLessThan(2);
});

test("statuses follow each other as often, and are held as long, as in the real tracker", () => {
  const held = new Map<string, number[]>();
  const taken: string[] = [];
  for (const issue of history) {
    let since = Date.parse(issue.createdAt);
    for (const change of issue.changes)
      for (const { field, from, to } of change.items) {
        if (field !== "status" || from === null) continue;
        held.set(from, [...(held.get(from) ?? []), (Date.parse(change.at) - since) / 3_600_000]);
        since = Date.parse(change.at);
        taken.push(`${from} ${to}`);
      }
  }
  const share = shares(taken);
  const moves = Object.values(TRANSITIONS).flatMap((row) => Object.values(row));
  const all = moves.reduce((sum, count) => sum + count, 0);
  expect(Math.abs((share.get("Open Closed") ?? 0) - (910 / all) * 100)).toBeLessThan(3);
  expect(Math.abs((share.get("Open In Progress") ?? 0) - (590 / all) * 100)).toBeLessThan(3);
  for (const [status, hours] of Object.entries({ Open: 505, Received: 295, "In Progress": 48 })) {
    const median = nearestRank(held.get(status) ?? [], 50) ?? 0;
    expect(median).toBeGreaterThan(hours / 2);
    expect(median).toBeLessThan(hours * 2);
  }
});

test("random numbers are uniform, normal and repeatable", () => {
  const rng = randomFrom("seed");
  const uniform = Array.from({ length: 20_000 }, () => rng.next());
  expect(uniform.reduce((sum, value) => sum + value, 0) / uniform.length).toBeCloseTo(0.5, 1);
  expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...uniform)).toBeLessThan(1);
  const logs = Array.from({ length: 20_000 }, () => rng.logNormal(505, 4));
  expect(Math.log(nearestRank(logs, 50) ?? 1) / Math.log(505)).toBeCloseTo(1, 1);
  expect(randomFrom("x").next()).toBe(randomFrom("x").next());
  expect(() => rng.pick({})).toThrow(RangeError);
});
