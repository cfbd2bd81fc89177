/** One engine's loop: what it asks and when, and what it keeps while it can't ask. */
import { afterEach, expect, test, vi } from "vitest";
import { startWorkerProcess } from "../../../shared/services/worker-process.ts";
import type { TriggerReading } from "../autoscaler.ts";
import { scaledObjectOf } from "../keda/testing/scaled-object.ts";
import { createDeployment, type Deployment } from "./deployment.ts";
import { createScaledEngine } from "./scaled-engine.ts";

const stop = new AbortController();
let deployment: Deployment;
afterEach(async () => {
  stop.abort();
  await deployment.stop();
});

test("an API that can't be asked keeps the replicas and says so; then it goes on", async () => {
  const events: string[] = [];
  let reading: TriggerReading = { value: 30, active: true };
  deployment = createDeployment({
    name: "activities",
    graceMs: 5_000,
    onEvent: () => {},
    start: () =>
      startWorkerProcess({ args: ["-e", "setInterval(() => {}, 1e6)"], output: "ignore" }),
  });
  const engine = createScaledEngine({
    scaledObject: scaledObjectOf({ pollingIntervalS: 10, cooldownPeriodS: 30 }),
    deployment,
    timeScale: 100,
    onEvent: (text) => events.push(text),
    ask: async () => reading,
  });
  const loop = engine.run(stop.signal);
  const until = (look: () => boolean) =>
    vi.waitFor(() => expect(look()).toBe(true), { timeout: 10_000, interval: 10 });

  await until(() => deployment.replicas === 3);
  reading = { error: "connect ECONNREFUSED" };
  // Longer than the cooldown and several rounds of both loops.
  await until(() => engine.totals.unanswered >= 10);
  expect(deployment.replicas).toBe(3);
  expect(engine.error).toBe("connect ECONNREFUSED");
  expect(events).toContain("activities: connect ECONNREFUSED; 3 replicas are kept");
  expect(engine.reasons).toContain("replicas stay");

  reading = { value: 0, active: false, doubt: "the answer has no figures: KEDA takes 0" };
  await until(() => deployment.replicas === 0);
  // Said once, not at every poll.
  expect(events.filter((text) => text.includes("no figures"))).toEqual([
    "activities: the answer has no figures: KEDA takes 0",
  ]);
  expect(events).toContain("activities: its trigger answers again");
  expect(engine.error).toBeUndefined();
  expect(engine.totals.peakReplicas).toBe(3);
  stop.abort();
  await loop;
});
