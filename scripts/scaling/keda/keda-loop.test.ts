/** KEDA's loop: one test for each of its rules. */
import { expect, test } from "vitest";
import type { TriggerReading } from "../autoscaler.ts";
import { createKedaLoop } from "./keda-loop.ts";
import { scaledObjectOf } from "./testing/scaled-object.ts";

const S = 1_000;
const ACTIVE: TriggerReading[] = [{ value: 5, active: true }];
const INACTIVE: TriggerReading[] = [{ value: 0, active: false }];
const ERROR: TriggerReading[] = [{ error: "connection refused" }];

test("active at 0: 1, or minReplicaCount", () => {
  expect(createKedaLoop(scaledObjectOf({}), 0).poll(0, 0, ACTIVE)).toBe(1);
  expect(createKedaLoop(scaledObjectOf({ minReplicaCount: 3 }), 0).poll(0, 0, ACTIVE)).toBe(3);
});

test("active above 0: the HPA's business", () => {
  expect(createKedaLoop(scaledObjectOf({}), 0).poll(0, 2, ACTIVE)).toBe(2);
});

test("inactive: to 0 in one step, once the cooldown since the last activity has passed", () => {
  const loop = createKedaLoop(scaledObjectOf({ cooldownPeriodS: 60 }), 0);
  loop.poll(0, 0, ACTIVE);
  expect(loop.poll(30 * S, 7, ACTIVE)).toBe(7);
  expect(loop.poll(60 * S, 7, INACTIVE)).toBe(7);
  expect(loop.why).toBe("KEDA: inactive, to 0 in 30 s");
  expect(loop.poll(89 * S, 7, INACTIVE)).toBe(7);
  expect(loop.poll(90 * S, 7, INACTIVE)).toBe(0);
});

test("never active: to 0 once the initial cooldown since the creation has passed", () => {
  expect(createKedaLoop(scaledObjectOf({}), 1_000).poll(1_000, 2, INACTIVE)).toBe(0);
  const loop = createKedaLoop(scaledObjectOf({ initialCooldownPeriodS: 120 }), 1_000);
  expect(loop.poll(120 * S, 2, INACTIVE)).toBe(2);
  expect(loop.poll(121 * S, 2, INACTIVE)).toBe(0);
});

test("inactive with minReplicaCount above 0: never below it, and up to it", () => {
  const loop = createKedaLoop(scaledObjectOf({ minReplicaCount: 2 }), 0);
  expect(loop.poll(0, 4, INACTIVE)).toBe(4);
  expect(loop.poll(9_000 * S, 4, INACTIVE)).toBe(4);
  expect(loop.poll(9_030 * S, 1, INACTIVE)).toBe(2);
});

test("idleReplicaCount 0: to 0 although there is a minimum, and back to the minimum", () => {
  const loop = createKedaLoop(
    scaledObjectOf({ minReplicaCount: 2, idleReplicaCount: 0, cooldownPeriodS: 0 }),
    0,
  );
  expect(loop.poll(0, 2, INACTIVE)).toBe(0);
  expect(loop.poll(30 * S, 0, INACTIVE)).toBe(0);
  expect(loop.poll(60 * S, 0, ACTIVE)).toBe(2);
  expect(loop.poll(90 * S, 1, ACTIVE)).toBe(2);
});

test("an error without fallback: replicas are kept, whatever the cooldown", () => {
  const loop = createKedaLoop(scaledObjectOf({ cooldownPeriodS: 1 }), 0);
  expect(loop.poll(0, 3, ERROR)).toBe(3);
  expect(loop.poll(9_000 * S, 3, ERROR)).toBe(3);
  expect(loop.poll(9_030 * S, 0, ERROR)).toBe(0);
  expect(loop.why).toBe("KEDA: a trigger errs, replicas stay (connection refused)");
});

test("an error does not refresh the last activity, not even with another trigger active", () => {
  const loop = createKedaLoop(scaledObjectOf({ cooldownPeriodS: 60 }, 2), 0);
  loop.poll(0, 1, [...ACTIVE, ...INACTIVE]);
  loop.poll(30 * S, 1, [...ACTIVE, ...ERROR]);
  expect(loop.poll(60 * S, 1, [...INACTIVE, ...INACTIVE])).toBe(0);
});

test("one trigger errs and another is active: up from 0", () => {
  expect(createKedaLoop(scaledObjectOf({}, 2), 0).poll(0, 0, [...ERROR, ...ACTIVE])).toBe(1);
});

test("a fallback counts as active once the failures exceed the threshold: it wakes from 0", () => {
  const loop = createKedaLoop(
    scaledObjectOf({ fallback: { failureThreshold: 2, replicas: 4 } }),
    0,
  );
  expect(loop.poll(0, 0, ERROR)).toBe(0);
  expect(loop.poll(30 * S, 0, ERROR)).toBe(0);
  expect(loop.poll(60 * S, 0, ERROR)).toBe(1);
});

test("failures count in a row only", () => {
  const loop = createKedaLoop(
    scaledObjectOf({ fallback: { failureThreshold: 1, replicas: 4 } }),
    0,
  );
  for (const [index, readings] of [ERROR, INACTIVE, ERROR, INACTIVE].entries())
    expect(loop.poll(index * 30 * S, 0, readings)).toBe(0);
});

test("a fallback to 0 replicas is active as well: it wakes from 0", () => {
  const fallback = { failureThreshold: 0, replicas: 0 };
  expect(createKedaLoop(scaledObjectOf({ fallback }), 0).poll(0, 0, ERROR)).toBe(1);
});

test("an active fallback refreshes the last activity", () => {
  const fallback = { failureThreshold: 0, replicas: 2 };
  const loop = createKedaLoop(scaledObjectOf({ fallback, cooldownPeriodS: 60 }), 0);
  loop.poll(0, 1, ACTIVE);
  for (const second of [30, 60, 90]) expect(loop.poll(second * S, 2, ERROR)).toBe(2);
  expect(loop.poll(120 * S, 2, INACTIVE)).toBe(2);
  expect(loop.poll(150 * S, 2, INACTIVE)).toBe(0);
});

test("the last activity is kept in whole seconds", () => {
  const loop = createKedaLoop(scaledObjectOf({ cooldownPeriodS: 60 }), 0);
  loop.poll(900, 1, ACTIVE);
  expect(loop.poll(60_100, 1, INACTIVE)).toBe(0);
});

test("force-activation keeps it awake", () => {
  const loop = createKedaLoop(scaledObjectOf({ forcedActive: true, cooldownPeriodS: 1 }), 0);
  expect(loop.poll(0, 0, INACTIVE)).toBe(1);
  expect(loop.poll(9_000 * S, 1, INACTIVE)).toBe(1);
});

test("paused: nothing changes; paused-replicas: that many", () => {
  expect(createKedaLoop(scaledObjectOf({ paused: true }), 0).poll(0, 0, ACTIVE)).toBe(0);
  const pinned = createKedaLoop(scaledObjectOf({ paused: true, pausedReplicas: 0 }), 0);
  expect(pinned.poll(0, 5, ACTIVE)).toBe(0);
});

test("paused-scale-in keeps from 0, paused-scale-out from waking", () => {
  expect(createKedaLoop(scaledObjectOf({ pausedScaleIn: true }), 0).poll(0, 2, INACTIVE)).toBe(2);
  expect(createKedaLoop(scaledObjectOf({ pausedScaleOut: true }), 0).poll(0, 0, ACTIVE)).toBe(0);
});
