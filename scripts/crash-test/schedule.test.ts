import { expect, test } from "vitest";
import { networkFaults } from "./faults/network.ts";
import { processFaults } from "./faults/processes.ts";
import { serviceFaults } from "./faults/services.ts";
import { randomFrom } from "./random.ts";
import { scheduleFaults } from "./schedule.ts";

const kinds = [...processFaults(2_000), ...networkFaults(), ...serviceFaults()];

test("kinds have distinct names, and there are at least 20, also on services of others", () => {
  expect(new Set(kinds.map(({ kind }) => kind)).size).toBe(kinds.length);
  expect(kinds.filter(({ needs }) => needs === undefined).length).toBeGreaterThanOrEqual(20);
});

test("a run of 60 faults meets every kind, alone and in pairs that touch different things", () => {
  const rounds = scheduleFaults(kinds, 60, randomFrom(7));
  const faults = rounds.flat();
  expect(faults).toHaveLength(60);
  expect(new Set(faults.map(({ kind }) => kind)).size).toBe(kinds.length);
  expect(rounds.some((round) => round.length === 2)).toBe(true);
  for (const [first, second] of rounds)
    if (first && second)
      expect(first.touches.filter((thing) => second.touches.includes(thing))).toEqual([]);
});

test("a short run has as many faults as asked for", () => {
  expect(scheduleFaults(kinds, 5, randomFrom(1)).flat()).toHaveLength(5);
});

test("the same seed gives the same plan, another one another", () => {
  const planOf = (seed: number) =>
    scheduleFaults(kinds, 60, randomFrom(seed)).map((round) =>
      round.map(({ kind }) => kind).join("+"),
    );
  expect(planOf(3)).toEqual(planOf(3));
  expect(planOf(3)).not.toEqual(planOf(4));
});
