/** The line of groups beside a plain list of jobs: first come, first served, and nobody is lost. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { WaitingLine } from "./waiting-line.ts";

/** What happens in a step: so many come, so many could start, so many are given back. */
const steps = fc.array(fc.tuple(fc.nat(40), fc.nat(40), fc.nat(3)), {
  maxLength: 3_000,
  size: "max",
});

test("jobs start in the order in which they came, each after its own wait", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const line = new WaitingLine();
      const queue: number[] = [];
      let returned = 0;
      for (const [step, [come, could, back]] of all.entries()) {
        line.push(step, step + 1, come);
        for (let job = 0; job < come; job++) queue.push(step + (job + 0.5) / come);
        const starts = Math.min(could, line.count);
        let told = 0;
        let waited = 0;
        line.take(starts, step + 1, step + 2, (fromS, toS, count) => {
          told += count;
          waited += (count * (fromS + toS)) / 2;
        });
        const again = Math.min(returned, starts);
        returned -= again;
        const taken = queue.splice(0, starts - again);
        expect(told).toBe(taken.length);
        const truth = taken.reduce(
          (sum, cameS, index) => sum + (step + 1 + (again + index + 0.5) / starts - cameS),
          0,
        );
        expect(waited).toBeCloseTo(truth, 6);
        const givenBack = Math.min(back, starts);
        line.giveBack(givenBack);
        returned += givenBack;
        expect(line.count).toBe(queue.length + returned);
      }
    }),
    { numRuns: 20 },
  );
});

test("those who came before a moment are counted, a group in part", () => {
  const line = new WaitingLine();
  line.push(0, 1, 10);
  line.push(1, 2, 10);
  expect(line.cameBefore(1.5)).toBe(15);
  expect(line.cameBefore(0)).toBe(0);
  expect(line.cameBefore(9)).toBe(20);
});
