/** What the HPA remembers: its recommendations, for stabilisation, and its changes, for rate policies. */

import type { Behavior, ScalingRules } from "../keda/scaled-object.ts";
import type { ReplicaChange } from "./hpa-policies.ts";

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
  changes(): readonly ReplicaChange[];
}

/** @param downscaleWindowS the window without `behavior`. */
export function createHistory(
  behavior: Behavior | undefined,
  downscaleWindowS: number,
): HpaHistory {
  const recommendations: Recommendation[] = [];
  const ups: ReplicaChange[] = [];
  const downs: ReplicaChange[] = [];
  let seeded = false;
  const upMs = (behavior?.scaleUp.stabilizationWindowSeconds ?? 0) * 1_000;
  const downMs = (behavior?.scaleDown.stabilizationWindowSeconds ?? downscaleWindowS) * 1_000;

  /** The unstabilised value is what is remembered. */
  const remember = (atMs: number, replicas: number) => {
    dropOlder(recommendations, atMs - Math.max(upMs, downMs));
    recommendations.push({ atMs, replicas });
  };

  return {
    changes: () => [...ups, ...downs],
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
      const change = { atMs: nowMs, by };
      if (by > 0) store(ups, change, longestPeriodMs(behavior.scaleUp));
      else store(downs, change, longestPeriodMs(behavior.scaleDown));
    },
  };
}

const longestPeriodMs = ({ policies }: ScalingRules) =>
  1_000 * Math.max(...policies.map(({ periodSeconds }) => periodSeconds));

/**
 * As the HPA's `storeScaleEvent` does: a change takes the place of one that no policy of its own direction counts
 * any more, the last of them, even if the other direction still would; all others stay, however old.
 */
function store(changes: ReplicaChange[], change: ReplicaChange, longestMs: number): void {
  const old = changes.findLastIndex(({ atMs }) => atMs <= change.atMs - longestMs);
  if (old < 0) changes.push(change);
  else changes[old] = change;
}

/** They are in the order of time. */
function dropOlder(entries: { atMs: number }[], cutoffMs: number): void {
  let old = 0;
  while (old < entries.length && (entries[old] as { atMs: number }).atMs < cutoffMs) old++;
  if (old > 0) entries.splice(0, old);
}
