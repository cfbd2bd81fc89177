/** What the HPA remembers: its recommendations, for stabilisation, and its changes, for rate policies. */
import type { ReplicaChange } from "./hpa-policies.ts";
import type { Behavior } from "./scaled-object.ts";

interface Recommendation {
  atMs: number;
  replicas: number;
}

export interface HpaHistory {
  /** The replicas at the first round are the first recommendation. */
  seed(nowMs: number, current: number): void;
  /** With `behavior`: current, raised or lowered as far as the windows of both directions let it. */
  stabilizedBoth(nowMs: number, current: number, proposal: number): number;
  /** Without `behavior`: the maximum of the last recommendations. */
  stabilizedDown(nowMs: number, proposal: number): number;
  changed(nowMs: number, by: number): void;
  readonly changes: readonly ReplicaChange[];
}

/** @param downscaleWindowS the window without `behavior`. */
export function createHistory(
  behavior: Behavior | undefined,
  downscaleWindowS: number,
): HpaHistory {
  const recommendations: Recommendation[] = [];
  const changes: ReplicaChange[] = [];
  let seeded = false;
  const upMs = (behavior?.scaleUp.stabilizationWindowSeconds ?? 0) * 1_000;
  const downMs = (behavior?.scaleDown.stabilizationWindowSeconds ?? downscaleWindowS) * 1_000;
  const longestPeriodMs = behavior
    ? 1_000 *
      Math.max(
        ...[...behavior.scaleUp.policies, ...behavior.scaleDown.policies].map(
          ({ periodSeconds }) => periodSeconds,
        ),
      )
    : 0;

  /** The unstabilised value is what is remembered. */
  const remember = (atMs: number, replicas: number) => {
    dropOlder(recommendations, atMs - Math.max(upMs, downMs));
    recommendations.push({ atMs, replicas });
  };

  return {
    changes,
    seed(nowMs, current) {
      if (!seeded) remember(nowMs, current);
      seeded = true;
    },
    stabilizedBoth(nowMs, current, proposal) {
      let up = proposal;
      let down = proposal;
      for (const { atMs, replicas } of recommendations) {
        if (atMs > nowMs - upMs) up = Math.min(up, replicas);
        if (atMs > nowMs - downMs) down = Math.max(down, replicas);
      }
      remember(nowMs, proposal);
      return Math.min(Math.max(current, up), down);
    },
    stabilizedDown(nowMs, proposal) {
      let most = proposal;
      for (const { atMs, replicas } of recommendations)
        if (atMs >= nowMs - downMs) most = Math.max(most, replicas);
      remember(nowMs, proposal);
      return most;
    },
    changed(nowMs, by) {
      if (!behavior) return;
      dropOlder(changes, nowMs - longestPeriodMs);
      changes.push({ atMs: nowMs, by });
    },
  };
}

/** They are in the order of time. */
function dropOlder(entries: { atMs: number }[], cutoffMs: number): void {
  let old = 0;
  while (old < entries.length && (entries[old] as { atMs: number }).atMs < cutoffMs) old++;
  if (old > 0) entries.splice(0, old);
}
