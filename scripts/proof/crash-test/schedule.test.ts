import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { randomFrom } from "../../show/random.ts";
import { LANED_BUGS, LONE_BUGS } from "./bugs/index.ts";
import { callerFaults } from "./faults/callers.ts";
import { messageFaults } from "./faults/messages.ts";
import { networkFaults } from "./faults/network.ts";
import { processFaults } from "./faults/processes.ts";
import { serviceFaults } from "./faults/services.ts";
import { partOf, scheduleFaults } from "./schedule.ts";

const kinds = [
  ...processFaults(2_000),
  ...networkFaults(),
  ...serviceFaults(),
  ...callerFaults(),
  ...messageFaults(),
];

test("kinds have distinct names, and there are at least 20, also on services of others", () => {
  expect(new Set(kinds.map(({ kind }) => kind)).size).toBe(kinds.length);
  expect(kinds.filter(({ needs }) => needs === undefined).length).toBeGreaterThanOrEqual(20);
});

test("the handbook and the README tell how many kinds of faults and planted bugs there are", () => {
  const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
  const bugs = LANED_BUGS.length + LONE_BUGS.length;
  const handbook = read("docs/infra/fallos.md");
  expect(handbook).toContain(`Son ${kinds.length} clases`);
  expect(handbook).toContain(`planta ${bugs} errores conocidos`);
  expect(read("README.md")).toContain(`${kinds.length} kinds of faults and ${bugs} planted bugs`);
});

test("a run of 70 faults meets every kind, alone and in pairs that touch different things", () => {
  const rounds = scheduleFaults(kinds, 70, randomFrom(7));
  const faults = rounds.flat();
  expect(faults).toHaveLength(70);
  expect(new Set(faults.map(({ kind }) => kind)).size).toBe(kinds.length);
  expect(rounds.some((round) => round.length === 2)).toBe(true);
  for (const [first, second] of rounds)
    if (first && second)
      expect(first.touches.filter((thing) => second.touches.includes(thing))).toEqual([]);
  for (const round of rounds)
    if (round.some(({ isAlone }) => isAlone)) expect(round).toHaveLength(1);
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
