/** Both loops together: their clocks, and who may do what. */
import { expect, test } from "vitest";
import { createAutoscaler, type TriggerReading } from "./autoscaler.ts";
import { fillBehavior } from "./hpa/behavior.ts";
import type { ScaledObject } from "./keda/scaled-object.ts";
import { scaledObjectOf } from "./keda/testing/scaled-object.ts";

const S = 1_000;

/** Steps until `untilS`, each time with the load of that moment; replicas by second of each change. */
function simulate(
  scaledObject: ScaledObject,
  untilS: number,
  load: (second: number) => TriggerReading,
) {
  const autoscaler = createAutoscaler(scaledObject, 0);
  const changes: [second: number, replicas: number][] = [];
  let replicas = 0;
  while (autoscaler.nextMs <= untilS * S) {
    const nowMs = autoscaler.nextMs;
    const wanted = autoscaler.step(nowMs, replicas, [load(nowMs / S)]);
    if (wanted !== replicas) changes.push([nowMs / S, wanted]);
    replicas = wanted;
  }
  return changes;
}

const work = (value: number): TriggerReading => ({ value, active: value > 0 });

test("polls at once, then every pollingInterval; the HPA every 15 s", () => {
  const autoscaler = createAutoscaler(scaledObjectOf({ pollingIntervalS: 20 }), 5_000);
  const due: number[] = [];
  for (let i = 0; i < 7; i++) {
    due.push(autoscaler.nextMs);
    autoscaler.step(autoscaler.nextMs, 1, [work(10)]);
  }
  expect(due.map((ms) => ms - 5_000)).toEqual([0, 15, 20, 30, 40, 45, 60].map((s) => s * S));
});

test("nothing is due before nextMs, and missed rounds are not made up for", () => {
  const autoscaler = createAutoscaler(scaledObjectOf({ pollingIntervalS: 10 }), 0);
  autoscaler.step(0, 0, [work(0)]);
  expect(autoscaler.step(5 * S, 0, [work(9)])).toBe(0);
  autoscaler.step(100 * S, 0, [work(0)]);
  expect(autoscaler.nextMs).toBe(110 * S);
});

test("KEDA wakes it, the HPA raises and lowers it, KEDA ends it outside of the HPA's policies", () => {
  const slow = [{ type: "Pods", value: 1, periodSeconds: 60 } as const];
  const scaledObject = scaledObjectOf({
    pollingIntervalS: 10,
    cooldownPeriodS: 60,
    maxReplicaCount: 5,
    behavior: fillBehavior({ scaleDown: { policies: slow } }),
  });
  expect(simulate(scaledObject, 300, (s) => work(s >= 20 && s < 100 ? 80 : 0))).toEqual([
    [20, 1],
    [30, 5],
    [150, 0],
  ]);
});

test("without metrics nothing moves between 1 and N", () => {
  const changes = simulate(
    scaledObjectOf({ pollingIntervalS: 10, cooldownPeriodS: 30 }),
    300,
    (s) => (s < 60 ? work(30) : { error: "down" }),
  );
  expect(changes).toEqual([
    [0, 1],
    [15, 3],
  ]);
});

test("a fallback takes it to its replicas once the failures exceed the threshold", () => {
  const scaledObject = scaledObjectOf({
    pollingIntervalS: 10,
    fallback: { failureThreshold: 3, replicas: 4 },
  });
  // At 0 replicas the HPA does not ask: polls at 0, 10, 20, 30, and the fourth failure exceeds 3.
  expect(simulate(scaledObject, 60, () => ({ error: "down" }))).toEqual([[30, 4]]);
});

test("polls count failures always, the HPA's rounds while there are replicas", () => {
  const fallback = { failureThreshold: 3, replicas: 2 };
  const down: TriggerReading = { error: "down" };
  const fromZero = simulate(scaledObjectOf({ fallback }), 95, () => down);
  expect(fromZero).toEqual([[90, 2]]);
  const fromOne = simulate(scaledObjectOf({ fallback }), 200, (s) => (s < 100 ? work(5) : down));
  // Failures at 105, twice at 120, and at 135.
  expect(fromOne).toEqual([
    [0, 1],
    [135, 2],
  ]);
});

test("an outage that its fallback bridges counts as activity until its end", () => {
  const scaledObject = scaledObjectOf({ fallback: { failureThreshold: 3, replicas: 2 } });
  const load = (second: number): TriggerReading =>
    second < 100 ? work(15) : second <= 900 ? { error: "down" } : work(0);
  expect(simulate(scaledObject, 1_500, load).at(-1)).toEqual([1_200, 0]);
});

test("paused has no HPA", () => {
  expect(
    simulate(scaledObjectOf({ paused: true, pausedReplicas: 2 }), 300, () => work(500)),
  ).toEqual([[0, 2]]);
});

test("paused-scale-in keeps what there is, and lets it grow", () => {
  const scaledObject = scaledObjectOf({ pausedScaleIn: true, cooldownPeriodS: 30 });
  expect(simulate(scaledObject, 900, (s) => work(s < 60 ? 40 : 0))).toEqual([
    [0, 1],
    [15, 4],
  ]);
});
