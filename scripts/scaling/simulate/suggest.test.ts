/** Suggested parameters are cheaper, or keep a target that the present ones miss; where nothing does, it says so. */
import { expect, test } from "vitest";
import { describeSuggestion } from "./describe-suggestion.ts";
import { exampleEngine } from "./example-engine.ts";
import { loadOf } from "./loads.ts";
import { suggest } from "./suggest.ts";

test("a wasteful ScaledObject gets a cheaper one that keeps the target under other seeds as well", () => {
  const engine = exampleEngine({}, { minReplicaCount: 5, cooldownPeriodS: 600 });
  const { now, best, otherSeedsP95S, trials } = suggest(engine, { load: loadOf("burst") });
  expect(best?.p95S).toBeLessThanOrEqual(60);
  expect(best?.costUsd).toBeLessThan(now.costUsd / 2);
  expect(best?.parameters.minReplicaCount).toBe(0);
  expect(otherSeedsP95S).toBeLessThan(90);
  expect(trials).toBeLessThan(300);
});

test("one that is late gets what it needs", () => {
  const engine = exampleEngine({}, { value: 48_000 });
  const suggestion = suggest(engine, { load: loadOf("slow") });
  expect(suggestion.now.p95S).toBeGreaterThan(60);
  expect(suggestion.best?.p95S).toBeLessThanOrEqual(60);
  expect(suggestion.best?.parameters.value).toBeLessThan(48_000);
  const text = describeSuggestion(suggestion).join("\n");
  expect(text).toContain("keda/activities.yaml");
  expect(text).toMatch(/triggers\[0\]\.metadata\.value +48000 +\d+/);
});

test("a target that nothing keeps is said to be one", () => {
  const engine = exampleEngine({ targetWaitS: 0.001, jobsPerSecond: 10, concurrency: 1 });
  const suggestion = suggest(engine, { load: loadOf("burst") });
  expect(suggestion.best).toBeUndefined();
  expect(describeSuggestion(suggestion).join("\n")).toContain("Nothing that was tried keeps it");
});
