/** How far the HPA's rate policies let the replicas go at once. */
import type { ScalingPolicy, ScalingRules } from "../keda/scaled-object.ts";

/** A change of the replicas that the HPA itself made. */
export interface ReplicaChange {
  atMs: number;
  /** Below 0 for removed ones. */
  by: number;
}

/** The most replicas there may be; it may lie below the current ones. */
export function scaleUpLimit(
  rules: ScalingRules,
  current: number,
  changes: readonly ReplicaChange[],
  nowMs: number,
): number {
  if (rules.selectPolicy === "Disabled") return current;
  const limits = rules.policies.map((policy) => {
    const start = periodStart(policy, current, changes, nowMs);
    return policy.type === "Pods"
      ? start + policy.value
      : Math.ceil(start * (1 + policy.value / 100));
  });
  return rules.selectPolicy === "Min" ? Math.min(...limits) : Math.max(...limits);
}

/** The fewest replicas there may be; it may lie above the current ones. */
export function scaleDownLimit(
  rules: ScalingRules,
  current: number,
  changes: readonly ReplicaChange[],
  nowMs: number,
): number {
  if (rules.selectPolicy === "Disabled") return current;
  const limits = rules.policies.map((policy) => {
    const start = periodStart(policy, current, changes, nowMs);
    return policy.type === "Pods"
      ? start - policy.value
      : Math.trunc(start * (1 - policy.value / 100));
  });
  // The biggest change leaves the fewest.
  return rules.selectPolicy === "Min" ? Math.max(...limits) : Math.min(...limits);
}

/** The replicas when the policy's period began, without what others than the HPA changed. */
function periodStart(
  { periodSeconds }: ScalingPolicy,
  current: number,
  changes: readonly ReplicaChange[],
  nowMs: number,
): number {
  const cutoffMs = nowMs - periodSeconds * 1_000;
  let start = current;
  for (const { atMs, by } of changes) if (atMs > cutoffMs) start -= by;
  return start;
}
