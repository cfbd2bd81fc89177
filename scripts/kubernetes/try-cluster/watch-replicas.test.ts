/** Peak and the way to zero, from samples with gaps and second thoughts. */
import { expect, test } from "vitest";
import { describeSamples, isAtRest, peakOf, type Sample, zeroAfterS } from "./watch-replicas.ts";

const samples = (...replicas: number[]): Sample[] =>
  replicas.map((count, index) => ({
    atMs: 1_000_000 + index * 2_000,
    engines: { activities: { replicas: count, ready: Math.min(count, 1) } },
  }));

test("zero is when it was reached for good", () => {
  const seen = samples(0, 1, 3, 0, 2, 1, 0, 0);
  expect(peakOf(seen, "activities")).toBe(3);
  expect(zeroAfterS(seen, "activities", 1_000_000)).toBe(12);
});

test("an engine that still runs, or never ran, has no such moment", () => {
  expect(zeroAfterS(samples(0, 1, 2), "activities", 1_000_000)).toBeUndefined();
  expect(zeroAfterS(samples(0, 0), "activities", 1_000_000)).toBeUndefined();
  expect(zeroAfterS([], "activities", 1_000_000)).toBeUndefined();
});

test("the fleet rests when every engine is at its least", () => {
  const [sample] = samples(0) as [Sample];
  expect(isAtRest(sample, {})).toBe(true);
  sample.engines.scheduler = { replicas: 1, ready: 0 };
  expect(isAtRest(sample, { activities: 0 })).toBe(false);
  expect(isAtRest(sample, { activities: 0, scheduler: 1 })).toBe(true);
  sample.engines.scheduler = { replicas: 2, ready: 0 };
  expect(isAtRest(sample, { activities: 0, scheduler: 1 })).toBe(false);
});

test("only changes get a line", () => {
  expect(describeSamples(samples(0, 0, 1, 1, 2), 1_002_000)).toEqual([
    "    -2 s  activities 0/0",
    "     2 s  activities 1/1",
    "     6 s  activities 1/2",
  ]);
});
