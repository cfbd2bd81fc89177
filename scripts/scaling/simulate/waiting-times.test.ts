/** The histogram's percentiles beside those of the sorted waits themselves. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { nearestRank } from "../../show/statistics.ts";
import { WaitingTimes } from "./waiting-times.ts";

const waits = fc.array(fc.double({ min: 0, max: 200_000, noNaN: true }), { minLength: 1 });

test("percentiles are within two per cent of the true ones", () => {
  fc.assert(
    fc.property(waits, fc.integer({ min: 1, max: 100 }), (all, percent) => {
      const times = new WaitingTimes(60);
      for (const wait of all) times.add(wait, wait, 1);
      const truth = nearestRank(all, percent) as number;
      expect(Math.abs(times.percentileS(percent) - truth)).toBeLessThanOrEqual(
        0.001 + truth * 0.02,
      );
      expect(times.count).toBe(all.length);
      expect(times.late).toBe(all.filter((wait) => wait > 60).length);
      expect(times.maxS).toBe(Math.max(...all));
    }),
  );
});

test("a group whose waits run from one to another counts as late in proportion", () => {
  const times = new WaitingTimes(60);
  times.add(0, 120, 1_000);
  expect(times.late).toBe(500);
  expect(times.meanS).toBe(60);
  expect(Math.abs(times.percentileS(50) - 60)).toBeLessThan(1.5);
  times.add(130, 90, 10);
  expect(times.late).toBe(510);
});

test("two histograms add up, and an emptied one has nothing", () => {
  const [one, two] = [new WaitingTimes(1), new WaitingTimes(1)];
  one.add(0, 0, 3);
  two.add(10, 10, 1);
  one.addAll(two);
  expect([one.count, one.late, one.maxS, one.percentileS(75)]).toEqual([4, 1, 10, 0]);
  expect(one.percentileS(100)).toBeCloseTo(10, 0);
  one.clear();
  expect([one.count, one.late, one.maxS, one.meanS, one.percentileS(99)]).toEqual([0, 0, 0, 0, 0]);
});
