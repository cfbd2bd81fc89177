/** KEDA's own loop over a ScaledObject: 0 ↔ 1, and nothing of what the HPA does. */
import type { TriggerReading } from "../autoscaler.ts";
import { createFailureCount } from "./fallback.ts";
import type { ScaledObject } from "./scaled-object.ts";

export interface KedaLoop {
  /** One poll: the replicas wanted after it. The caller makes them so, and times only go forward. */
  poll(nowMs: number, replicas: number, readings: readonly TriggerReading[]): number;
  /** Why the last poll came out as it did, for people. */
  readonly why: string;
}

/**
 * @param createdAtMs when the ScaledObject was created, which `initialCooldownPeriod` starts from.
 * @param failures shared with who asks the triggers for the HPA.
 */
export function createKedaLoop(
  scaledObject: ScaledObject,
  createdAtMs: number,
  failures = createFailureCount(scaledObject),
): KedaLoop {
  const { minReplicaCount, idleReplicaCount, pausedReplicas } = scaledObject;
  const cooldownMs = scaledObject.cooldownPeriodS * 1_000;
  const initialCooldownMs = scaledObject.initialCooldownPeriodS * 1_000;
  const mayScaleToZero = minReplicaCount === 0 || idleReplicaCount === 0;
  const createdMs = Math.floor(createdAtMs / 1_000) * 1_000;
  let lastActiveMs: number | undefined;
  let why: () => string = () => "not polled yet";

  const decide = (replicas: number, reason: () => string) => {
    why = () => `KEDA: ${reason()}`;
    return replicas;
  };

  /** The times in a ScaledObject's status are whole seconds. */
  const refresh = (nowMs: number) => {
    lastActiveMs = Math.floor(nowMs / 1_000) * 1_000;
  };

  function whenActive(nowMs: number, replicas: number, error: string | undefined): number {
    if (replicas === 0 || (idleReplicaCount === 0 && replicas < minReplicaCount)) {
      if (scaledObject.pausedScaleOut) return decide(replicas, () => "scaling out is paused");
      refresh(nowMs);
      return decide(Math.max(1, minReplicaCount), () =>
        error === undefined ? "there is work" : `active although a trigger errs (${error})`,
      );
    }
    // A trigger that errs without being replaced by its fallback keeps the time as it is.
    if (error !== undefined && !failures.fallbackActive)
      return decide(replicas, () => `a trigger errs (${error})`);
    refresh(nowMs);
    return decide(replicas, () =>
      error === undefined ? "active" : `its fallback acts (${error})`,
    );
  }

  function whenInactive(nowMs: number, replicas: number): number {
    if (replicas > 0 && mayScaleToZero) return coolDown(nowMs, replicas);
    if (replicas < minReplicaCount && idleReplicaCount === undefined)
      return decide(minReplicaCount, () => `fewer than minReplicaCount ${minReplicaCount}`);
    return decide(replicas, () => "inactive");
  }

  function coolDown(nowMs: number, replicas: number): number {
    if (scaledObject.pausedScaleIn) return decide(replicas, () => "scaling in is paused");
    const overMs =
      lastActiveMs === undefined ? createdMs + initialCooldownMs : lastActiveMs + cooldownMs;
    if (nowMs >= overMs) return decide(0, () => "inactive, the cooldown is over");
    return decide(replicas, () => `inactive, to 0 in ${Math.ceil((overMs - nowMs) / 1_000)} s`);
  }

  return {
    poll(nowMs, replicas, readings) {
      if (pausedReplicas !== undefined)
        return decide(pausedReplicas, () => `paused at ${pausedReplicas}`);
      if (scaledObject.paused) return decide(replicas, () => "paused");
      failures.count(readings);
      const error = readings.find((reading) => "error" in reading)?.error;
      const active =
        scaledObject.forcedActive ||
        readings.some((reading) => !("error" in reading) && reading.active);
      if (active || failures.fallbackActive) return whenActive(nowMs, replicas, error);
      if (error !== undefined)
        return decide(replicas, () => `a trigger errs, replicas stay (${error})`);
      return whenInactive(nowMs, replicas);
    },
    get why() {
      return why();
    },
  };
}
