/** Which tier a retry or a wait takes, and what the retry budget holds back. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DELAY_TIERS } from "../wire/names.ts";
import { longestReplyMs, nearestTier, RetryBudget, retryTier, waitTier } from "./retry.ts";

describe("retryTier", () => {
  test.each([
    [1, ["1s", "5s"]],
    [2, ["5s", "1s"]],
    [3, ["30s", "2m"]],
    [4, ["2m", "30s"]],
    [5, ["10m", "2m"]],
    [9, ["1h", "10m"]],
  ])("after attempt %i one of the two nearest tiers", (attempt, names) => {
    expect([retryTier(attempt, () => 0).name, retryTier(attempt, () => 0.9).name]).toEqual(names);
  });
});

test("the longest time to a final reply: all runs, and the longer tier and the budget's hold between them", () => {
  expect(longestReplyMs({ timeoutMs: 10_000, maxAttempts: 1 })).toBe(10_000);
  expect(longestReplyMs({ timeoutMs: 10_000, maxAttempts: 3 })).toBe(
    30_000 + 5_000 + 5_000 + 2_000,
  );
  // 5 runs; 5 s, 5 s, 2 min, 2 min; 4 holds of a second.
  expect(longestReplyMs({ timeoutMs: 10_000 })).toBe(50_000 + 250_000 + 4_000);
});

test.each([
  [0, "1s"],
  [1_000, "1s"],
  [1_001, "5s"],
  [3_000, "5s"],
  [5_000, "5s"],
  [6_000, "30s"],
  [300_000, "10m"],
  [3_600_000, "1h"],
  [99_999_999, "1h"],
])("a wait of %i ms goes to the tier %s", (delayMs, name) => {
  expect(waitTier(delayMs).name).toBe(name);
});

test("a wait is never shorter than asked, and no longer than it has to be", () => {
  const longest = Math.max(...DELAY_TIERS.map((tier) => tier.delayMs));
  fc.assert(
    fc.property(fc.double({ min: 0, max: longest, noNaN: true }), (delayMs) => {
      const tier = waitTier(delayMs);
      expect(tier.delayMs).toBeGreaterThanOrEqual(delayMs);
      for (const other of DELAY_TIERS)
        if (other.delayMs >= delayMs) expect(tier.delayMs).toBeLessThanOrEqual(other.delayMs);
    }),
  );
});

test.each([
  [0, "1s"],
  [2_000, "1s"],
  [9_900, "5s"],
  [20_000, "30s"],
  [99_999_999, "1h"],
])("a wait of %i ms that may end early goes to the nearest tier, %s", (delayMs, name) => {
  expect(nearestTier(delayMs).name).toBe(name);
});

test("past the budget retries are held, and first attempts earn them back", () => {
  const budget = new RetryBudget(0.2);
  const held = Array.from({ length: 30 }, () => budget.spend()).filter((ms) => ms > 0);
  expect(held).toHaveLength(10);
  for (let i = 0; i < 5; i++) budget.earn();
  expect(budget.spend()).toBe(0);
  expect(budget.spend()).toBeGreaterThan(0);
});
