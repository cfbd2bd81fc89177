/** The pictures hold what the result says, and are whole SVG. */
import { describe, expect, test } from "vitest";
import { readPrices } from "../../kubernetes/read/prices.ts";
import { exampleEngine } from "./example-engine.ts";
import { drawGrowth } from "./figure-growth.ts";
import { drawLimits } from "./figure-limits.ts";
import { limitsOf } from "./limits.ts";
import { LOAD_NAMES, loadOf } from "./loads.ts";
import { drawPicture } from "./picture.ts";
import { simulate } from "./simulate.ts";

/** Elements that open and close in order, and no number that is none. */
function expectWhole(svg: string): void {
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  const open: string[] = [];
  for (const [, close, name, self] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
    if (close) expect(open.pop()).toBe(name);
    else if (!self) open.push(name as string);
  }
  expect(open).toEqual([]);
}

describe.each([...LOAD_NAMES, "empty"] as const)("%s", (name) => {
  const engines = [exampleEngine({ share: 0.5 }), exampleEngine({ name: "burials", share: 0 })];
  const load = name === "empty" ? { ...loadOf("burst"), rate: () => 0 } : loadOf(name);
  const svg = drawPicture(simulate({ engines, load }), load);

  test("is whole", () => {
    expectWhole(svg);
  });

  test("shows each start of a pod, though all may be gone at the end of a bin", () => {
    const [first] = simulate({ engines, load }).engines;
    const podsStarted = first?.podsStarted;
    expect(first?.series.starts.reduce((sum, count) => sum + count, 0)).toBe(podsStarted);
    expect(svg.includes(`>${podsStarted} starts<`)).toBe(name !== "empty");
  });

  test("shows engines that had jobs, and no others", () => {
    expect(svg.includes(">activities<")).toBe(name !== "empty");
    expect(svg).not.toContain(">burials<");
  });
});

test("an outage and slow jobs are marked", () => {
  const draw = (name: "outage" | "slow") => {
    const load = loadOf(name);
    return drawPicture(simulate({ engines: [exampleEngine()], load }), load);
  };
  expect(draw("outage")).toContain(">no broker<");
  expect(draw("slow")).toContain(">slow jobs<");
});

test("the handbook's figures are whole, and their limits in order", () => {
  const limits = limitsOf(
    [exampleEngine({ share: 0.5 }), exampleEngine({ name: "analytics", share: 0.5 })],
    readPrices(Date.now()).prices,
  );
  const sorted = limits.map(({ jobsPerDay }) => jobsPerDay).toSorted((a, b) => a - b);
  expect(limits.map(({ jobsPerDay }) => jobsPerDay)).toEqual(sorted);
  expectWhole(drawLimits(limits));
  const point = {
    podsUsd: 1,
    redisUsd: 0,
    storageUsd: 3,
    p95S: 0,
    p99S: 1,
    longestS: 37,
    maxPods: 2,
  };
  expectWhole(
    drawGrowth([
      { jobsPerDay: 1e6, ...point },
      { jobsPerDay: 1e8, ...point },
    ]),
  );
});
