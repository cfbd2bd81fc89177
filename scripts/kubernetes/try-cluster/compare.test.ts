/** The simulator is given the load that was published, of one engine that slept. */
import { expect, test } from "vitest";
import { simulateBurst } from "./compare.ts";

test("a small burst needs one replica, a large one all of them, and both come to zero after the cooldown", async () => {
  const small = await simulateBurst("activities", 1_000, 2);
  const large = await simulateBurst("activities", 200_000, 20);
  expect(small.peakReplicas).toBe(1);
  expect(large.peakReplicas).toBe(3);
  // cooldownPeriod of keda/activities.yaml, and a minute to wake up and do the work.
  for (const { zeroAfterS } of [small, large]) {
    expect(zeroAfterS).toBeGreaterThan(300);
    expect(zeroAfterS).toBeLessThan(600);
  }
});

test("an engine that there is not", async () => {
  await expect(simulateBurst("invoices", 10, 1)).rejects.toThrow("no ScaledObject of invoices");
});
