import { expect, test } from "vitest";
import { median, nearestRank } from "./statistics.ts";

test("the median of an even number of values is the mean of the middle two", () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([3, 1, 2])).toBe(2);
  expect(median([])).toBeNaN();
});

test("a percentile is the nearest rank", () => {
  const values = Array.from({ length: 200 }, (_, index) => index + 1);
  expect(nearestRank(values, 99)).toBe(198);
  expect(nearestRank(values, 0)).toBe(1);
  expect(nearestRank([7], 99)).toBe(7);
});
