/** How many pods there can be at once, and how many nodes they fill. */

import type { SourceObject } from "../kubernetes/read/documents.ts";
import { cpus, gibibytes } from "../kubernetes/read/quantity.ts";
import { type PodSize, podSizeOf, surgeOf } from "../kubernetes/read/workload.ts";
import type { ScaledObject } from "../scaling/keda/scaled-object.ts";

export interface PodGroup {
  name: string;
  size: PodSize;
  /** What the autoscaler may keep running all month. */
  steady: number;
  /** One more for each that a rollout may start before it stops another. */
  surge: number;
  /** All of them may drain while as many new ones run: a scale-in, then a burst within the drain. */
  draining: number;
}

export const podsOf = ({ steady, surge, draining }: PodGroup) => steady + surge + draining;

export function engineGroup(
  { name, target, maxReplicaCount }: ScaledObject,
  objects: readonly SourceObject[],
): PodGroup {
  const deployment = objects.find((it) => it.kind === "Deployment" && it.name === target);
  return {
    name,
    size: podSizeOf(deployment),
    steady: maxReplicaCount,
    surge: surgeOf(deployment, maxReplicaCount),
    draining: maxReplicaCount,
  };
}

/** Jobs and CronJobs of the namespace: one pod each, for minutes. */
export function setupGroups(objects: readonly SourceObject[]): PodGroup[] {
  return objects
    .filter(({ kind }) => kind === "Job" || kind === "CronJob")
    .map((it) => ({ name: it.name, size: podSizeOf(it), steady: 0, surge: 1, draining: 0 }));
}

/** What the namespace's quotas let pods request; infinite where none says. */
export interface Quota extends PodSize {
  pods: number;
}

export function quotaOf(objects: readonly SourceObject[]): Quota {
  const quota = { pods: Infinity, cpu: Infinity, memoryGib: Infinity };
  for (const { value } of objects.filter(({ kind }) => kind === "ResourceQuota")) {
    const hard = (value.spec as { hard?: Record<string, unknown> } | undefined)?.hard ?? {};
    quota.pods = Math.min(quota.pods, Number(hard.pods ?? Infinity));
    quota.cpu = Math.min(quota.cpu, cpus(hard["requests.cpu"] ?? hard.cpu) ?? Infinity);
    quota.memoryGib = Math.min(
      quota.memoryGib,
      gibibytes(hard["requests.memory"] ?? hard.memory) ?? Infinity,
    );
  }
  return quota;
}

export interface NodeSize {
  podCpu: number;
  podMemoryGib: number;
}

type Pods = readonly { count: number; size: PodSize }[];
type Measure = (size: PodSize) => number;

const cpuOf: Measure = ({ cpu }) => cpu;
const memoryOf: Measure = ({ memoryGib }) => memoryGib;
const onePod: Measure = () => 1;

const NO_QUOTA: Quota = { pods: Infinity, cpu: Infinity, memoryGib: Infinity };

/** The most that pods can come to of one measure while they stay within a limit of another. */
function mostWithin(pods: Pods, target: Measure, limited: Measure, limit: number): number {
  const worth = (size: PodSize) => target(size) / limited(size);
  let [left, most] = [limit, 0];
  for (const { count, size } of pods.toSorted((a, b) => worth(b.size) - worth(a.size))) {
    const fits = Math.min(count, left / limited(size));
    most += fits * target(size);
    left -= fits * limited(size);
  }
  return most;
}

/**
 * Nodes that such pods fill, as far as the quota lets them be. Whole pods only: of each node a rest that
 * is too small for the largest pod is lost. No pods need no node.
 */
export function packed(pods: Pods, node: NodeSize, quota: Quota = NO_QUOTA): number {
  const there = pods.filter(({ count }) => count > 0);
  if (there.length === 0) return 0;
  const nodes = (target: Measure, has: number) => {
    const requested = Math.min(
      mostWithin(there, target, cpuOf, quota.cpu),
      mostWithin(there, target, memoryOf, quota.memoryGib),
      mostWithin(there, target, onePod, quota.pods),
    );
    const largest = Math.max(...there.map(({ size }) => target(size)));
    const usable = Math.floor(has / largest + 1e-9) * largest;
    // A pod that is larger than a node fits on none; counting its size is still an upper bound.
    return requested / (usable > 0 ? usable : has);
  };
  return Math.ceil(Math.max(nodes(cpuOf, node.podCpu), nodes(memoryOf, node.podMemoryGib)) - 1e-9);
}
