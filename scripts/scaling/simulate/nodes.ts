/** The nodes under the pods: added when pods don't fit, removed when they are not needed for a while. */
import type { PodSize } from "../../kubernetes/read/workload.ts";

/** The cluster as the simulator sees it. */
export interface Cluster {
  /** What pods may request of one node, after what Kubernetes and its agents keep. */
  nodeCpu: number;
  nodeMemoryGib: number;
  minNodes: number;
  maxNodes: number;
  /** From a pod that fits nowhere to a node that takes it, its image pulled. */
  nodeStartS: number;
  /** The cluster autoscaler's `scale-down-unneeded-time`. */
  nodeIdleS: number;
  /** From a pod's place on a node to its first job. */
  podStartS: number;
}

/**
 * A 2-CPU, 8-GiB node (of e2-standard-2 Google leaves 1.93 CPU and 5.9 GiB to pods,
 * https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes; 0.3 and 0.6 of that go to
 * DaemonSets). A worker's first job is done 0.5 s after its process starts (docs/meta/rendimiento.md);
 * scheduling, container start and the readiness probe make it 5.
 */
export const DEFAULT_CLUSTER: Cluster = {
  nodeCpu: 1.6,
  nodeMemoryGib: 5.3,
  minNodes: 1,
  maxNodes: 20,
  nodeStartS: 90,
  nodeIdleS: 600,
  podStartS: 5,
};

/** What one pod requests. */
export class Nodes {
  ready: number;
  readonly #cluster: Cluster;
  readonly #sizes: readonly PodSize[];
  /** Steps at which ordered nodes will be ready, in order. */
  readonly #ordered: number[] = [];
  #unneededSince: number | undefined;

  constructor(cluster: Cluster, sizes: readonly PodSize[]) {
    this.#cluster = cluster;
    this.#sizes = sizes;
    this.ready = cluster.minNodes;
  }

  /** Nodes that so many pods of each size fill; whole pods only, so that a rest too small for the largest is lost. */
  needed(pods: readonly number[]): number {
    const { nodeCpu, nodeMemoryGib, minNodes } = this.#cluster;
    let [cpu, memory, largestCpu, largestMemory] = [0, 0, 0, 0];
    for (const [index, size] of this.#sizes.entries()) {
      const count = pods[index] as number;
      if (count === 0) continue;
      cpu += count * size.cpu;
      memory += count * size.memoryGib;
      largestCpu = Math.max(largestCpu, size.cpu);
      largestMemory = Math.max(largestMemory, size.memoryGib);
    }
    if (cpu === 0) return minNodes;
    const usable = (all: number, largest: number) => Math.floor(all / largest + 1e-9) * largest;
    const nodes = Math.max(
      cpu / usable(nodeCpu, largestCpu),
      memory / usable(nodeMemoryGib, largestMemory),
    );
    return Math.max(minNodes, Math.ceil(nodes - 1e-9));
  }

  /** Orders and drops nodes for the pods that exist and those that wait; `wanted` is both. */
  settle(step: number, wanted: readonly number[]): void {
    while (this.#ordered[0] !== undefined && this.#ordered[0] <= step) {
      this.#ordered.shift();
      this.ready++;
    }
    const needed = Math.min(this.needed(wanted), this.#cluster.maxNodes);
    while (this.ready + this.#ordered.length < needed)
      this.#ordered.push(step + this.#cluster.nodeStartS);
    if (needed >= this.ready) this.#unneededSince = undefined;
    else {
      this.#unneededSince ??= step;
      if (step - this.#unneededSince < this.#cluster.nodeIdleS) return;
      this.ready = needed;
      this.#unneededSince = undefined;
    }
  }

  /** Whether the ready nodes have room for so many pods. */
  fits(pods: readonly number[]): boolean {
    return this.needed(pods) <= this.ready;
  }
}
