/** The HorizontalPodAutoscaler's algorithm for average values: 1 ↔ N, every 15 s. */

import type { Behavior } from "../keda/scaled-object.ts";
import { createHistory } from "./hpa-history.ts";
import { scaleDownLimit, scaleUpLimit } from "./hpa-policies.ts";

export const HPA_SYNC_MS = 15_000;

/** `usage` over all replicas, `target` per replica (AverageValue). */
export type HpaMetric = { usage: number; target: number } | { error: string };

export interface HpaSpec {
  /** At least 1. */
  minReplicas: number;
  maxReplicas: number;
  /** With all defaults filled in; undefined: the rules of old, which differ. */
  behavior?: Behavior;
}

export interface Hpa {
  /**
   * One round: the replicas wanted from now on. The caller makes them so, and times only go forward.
   * Nothing changes at 0 replicas, where the HPA is off.
   */
  sync(nowMs: number, currentReplicas: number, metrics: readonly HpaMetric[]): number;
  /** Why the last round came out as it did, for people. */
  readonly why: string;
}

/** A change below this share of the target is none (`--horizontal-pod-autoscaler-tolerance`). */
const TOLERANCE = 0.1;
interface Tolerance {
  up: number;
  down: number;
}
/** `--horizontal-pod-autoscaler-downscale-stabilization` */
const DOWNSCALE_WINDOW_S = 300;

export function createHpa({ minReplicas, maxReplicas, behavior }: HpaSpec): Hpa {
  const history = createHistory(behavior, DOWNSCALE_WINDOW_S);
  const tolerance: Tolerance = {
    up: behavior?.scaleUp.tolerance ?? TOLERANCE,
    down: behavior?.scaleDown.tolerance ?? TOLERANCE,
  };
  let why: () => string = () => "not asked yet";

  function withBehavior(nowMs: number, current: number, proposal: number, rules: Behavior): number {
    const stable = history.stabilizedBoth(nowMs, current, proposal);
    let allowed = stable;
    if (stable > current) {
      const limit = scaleUpLimit(rules.scaleUp, current, history.changes(), nowMs);
      // A limit never reverses the direction.
      allowed = Math.min(stable, maxReplicas, Math.max(limit, current));
    } else if (stable < current) {
      const limit = scaleDownLimit(rules.scaleDown, current, history.changes(), nowMs);
      allowed = Math.max(stable, minReplicas, Math.min(limit, current));
    }
    why = () => explain(proposal, stable, allowed);
    return allowed;
  }

  function withoutBehavior(nowMs: number, current: number, proposal: number): number {
    const stable = history.stabilizedDown(nowMs, proposal);
    const most = Math.min(maxReplicas, Math.max(2 * current, 4));
    const allowed = Math.max(minReplicas, Math.min(stable, most));
    why = () => explain(proposal, stable, allowed);
    return allowed;
  }

  function wanted(nowMs: number, current: number, metrics: readonly HpaMetric[]): number {
    if (current === 0) {
      why = () => "HPA: off at 0 replicas";
      return 0;
    }
    if (current > maxReplicas || current < minReplicas) {
      const bound = current > maxReplicas ? maxReplicas : minReplicas;
      why = () => `HPA: ${current} is outside of ${minReplicas}–${maxReplicas}`;
      return bound;
    }
    const proposal = propose(current, metrics, tolerance);
    if (typeof proposal === "string") {
      why = () => `HPA: ${proposal}, replicas stay`;
      return current;
    }
    return behavior
      ? withBehavior(nowMs, current, proposal, behavior)
      : withoutBehavior(nowMs, current, proposal);
  }

  return {
    sync(nowMs, currentReplicas, metrics) {
      history.seed(nowMs, currentReplicas);
      const replicas = wanted(nowMs, currentReplicas, metrics);
      if (replicas !== currentReplicas) history.changed(nowMs, replicas - currentReplicas);
      return replicas;
    },
    get why() {
      return why();
    },
  };
}

/** The largest of the metrics' proposals, or the error that forbids one. */
function propose(
  current: number,
  metrics: readonly HpaMetric[],
  tolerance: Tolerance,
): number | string {
  let largest = -1;
  let error: string | undefined;
  for (const metric of metrics) {
    if ("error" in metric) error ??= metric.error;
    else largest = Math.max(largest, proposalOf(current, metric, tolerance));
  }
  // What can't be asked might need all that run: no scaling down on half of the knowledge.
  if (largest < 0 || (error !== undefined && largest < current)) return error ?? "no metrics";
  return largest;
}

/** KEDA hands both over as thousandths, cut off, and the HPA takes what is below 0 for none. */
const thousandths = (value: number) => Math.max(0, Math.trunc(value * 1_000));

function proposalOf(
  current: number,
  metric: { usage: number; target: number },
  tolerance: Tolerance,
): number {
  const [usage, target] = [thousandths(metric.usage), thousandths(metric.target)];
  const ratio = usage / (target * current);
  if (ratio >= 1 - tolerance.down && ratio <= 1 + tolerance.up) return current;
  return Math.ceil(usage / target);
}

function explain(proposal: number, stable: number, allowed: number): string {
  if (allowed === proposal) return `HPA: metrics want ${proposal}`;
  const held = stable === proposal ? "" : `, ${stable} after stabilisation`;
  const limited = allowed === stable ? "" : `, ${allowed} allowed`;
  return `HPA: metrics want ${proposal}${held}${limited}`;
}
