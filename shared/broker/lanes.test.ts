/** How many deliveries a worker holds of each lane. */
import { expect, test } from "vitest";
import { planLanes } from "./lanes.ts";

test.each([
  [1, undefined, { running: 1, prefetch: 1, bulkPrefetch: 1 }],
  [64, undefined, { running: 64, prefetch: 64, bulkPrefetch: 48 }],
  [64, 112, { running: 64, prefetch: 64, bulkPrefetch: 48 }],
  [64, 56, { running: 56, prefetch: 32, bulkPrefetch: 24 }],
  [64, 2, { running: 2, prefetch: 1, bulkPrefetch: 1 }],
])("concurrency %i under a cap of %s", (concurrency, cap, plan) => {
  expect(planLanes({ name: "any", concurrency }, cap)).toEqual(plan);
});

test("burials has one lane", () => {
  const plan = { running: 16, prefetch: 16, bulkPrefetch: undefined };
  expect(planLanes({ name: "burials", concurrency: 16 })).toEqual(plan);
});
