/** KEDA's loop and the HPA of one ScaledObject, each by its own clock; in real time or in virtual. */
import { behaviorOf } from "./hpa/behavior.ts";
import { createHpa, HPA_SYNC_MS } from "./hpa/hpa.ts";
import { createFailureCount } from "./keda/fallback.ts";
import { createKedaLoop } from "./keda/keda-loop.ts";
import type { ScaledObject } from "./keda/scaled-object.ts";

/** What one trigger answers when KEDA's loop or the HPA ask. */
export type TriggerReading =
  | {
      /** The figure that is compared with the trigger's `value`, over all replicas. */
      value: number;
      /** Whether the trigger alone would keep the workload awake. */
      active: boolean;
      /** What a person should know of the figure, such as that the answer had none and 0 was taken for it. */
      doubt?: string;
    }
  | { error: string };

export interface Autoscaler {
  /** When the next step is due. */
  readonly nextMs: number;
  /**
   * What is due at `nowMs`: a poll, a round of the HPA, or both; nothing before `nextMs`. Returns the
   * replicas wanted from now on, which the caller makes so.
   * @param replicas those that the Deployment asks for now, `spec.replicas`.
   * @param readings one for each trigger, asked just now.
   */
  step(nowMs: number, replicas: number, readings: readonly TriggerReading[]): number;
  /** Who decided last, and why, for people. */
  readonly why: string;
  /** What both of them made of it the last time. */
  readonly reasons: string;
}

/** The first poll is due at once, the HPA's first round after its interval. */
export function createAutoscaler(scaledObject: ScaledObject, createdAtMs: number): Autoscaler {
  const failures = createFailureCount(scaledObject);
  const loop = createKedaLoop(scaledObject, createdAtMs, failures);
  const behavior = behaviorOf(scaledObject);
  const hpa = createHpa({
    minReplicas: Math.max(1, scaledObject.minReplicaCount),
    maxReplicas: scaledObject.maxReplicaCount,
    ...(behavior && { behavior }),
  });
  // A paused ScaledObject has no HPA.
  const isPaused = scaledObject.paused || scaledObject.pausedReplicas !== undefined;
  const pollingMs = scaledObject.pollingIntervalS * 1_000;
  let nextPollMs = createdAtMs;
  let nextSyncMs = isPaused ? Number.POSITIVE_INFINITY : createdAtMs + HPA_SYNC_MS;
  let decidedBy: { why: string } = loop;

  return {
    get nextMs() {
      return Math.min(nextPollMs, nextSyncMs);
    },
    step(nowMs, replicas, readings) {
      let wanted = replicas;
      const polls = nowMs >= nextPollMs;
      if (polls) {
        nextPollMs = following(nextPollMs, pollingMs, nowMs);
        wanted = loop.poll(nowMs, wanted, readings);
        decidedBy = loop;
      }
      if (nowMs >= nextSyncMs) {
        nextSyncMs = following(nextSyncMs, HPA_SYNC_MS, nowMs);
        const before = wanted;
        // Each asks for itself, and at 0 replicas the HPA does not.
        if (before > 0) failures.count(readings);
        wanted = hpa.sync(nowMs, before, failures.metrics(readings));
        if (before > 0 && (!polls || wanted !== before)) decidedBy = hpa;
      }
      return wanted;
    },
    get why() {
      return decidedBy.why;
    },
    get reasons() {
      return isPaused ? loop.why : `${loop.why} · ${hpa.why}`;
    },
  };
}

/** Rounds that were missed are not made up for. */
function following(dueMs: number, intervalMs: number, nowMs: number): number {
  const next = dueMs + intervalMs;
  return next > nowMs ? next : nowMs + intervalMs;
}
