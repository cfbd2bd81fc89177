import { expect, test } from "vitest";
import { randomFrom } from "../../show/random.ts";
import { callerFaults } from "./faults/callers.ts";
import { networkFaults } from "./faults/network.ts";
import { processFaults } from "./faults/processes.ts";
import { serviceFaults } from "./faults/services.ts";
import { partOf, scheduleFaults } from "./schedule.ts";

const kinds = [...processFaults(2_000), ...networkFaults(), ...serviceFaults(), ...callerFaults()];

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

test("a plan can be played in parts, which together are the whole", () => {
  const rounds = scheduleFaults(kinds, 100, randomFrom(3));
  const parts = [partOf(rounds, 0, 16), partOf(rounds, 16, 50), partOf(rounds, 50, 100)];
  expect(parts.flat()).toEqual(rounds);
  for (const [index, length] of [16, 34, 50].entries())
    expect(Math.abs((parts[index]?.flat().length ?? 0) - length)).toBeLessThanOrEqual(1);
});

test("the same seed gives the same plan, another one another", () => {
  const planOf = (seed: number) =>
    scheduleFaults(kinds, 60, randomFrom(seed)).map((round) =>
      round.map(({ kind }) => kind).join("+"),
    );
  expect(planOf(3)).toEqual(planOf(3));
  expect(planOf(3)).not.toEqual(planOf(4));
});
