/** Replicas against time, as the API server tells them. */
import { setTimeout as sleep } from "node:timers/promises";
import { WORKERS } from "../deploy/rollout.ts";
import type { TriedCluster } from "./kubectl.ts";
import { TryError } from "./try-error.ts";

export interface Sample {
  /** Epoch ms. */
  atMs: number;
  engines: Record<string, { replicas: number; ready: number }>;
}

interface Deployments {
  items: {
    metadata: { name: string };
    spec: { replicas?: number };
    status?: { replicas?: number; readyReplicas?: number };
  }[];
}

export interface ReplicaWatch {
  /** A sample for each look that got an answer. */
  readonly samples: readonly Sample[];
  stop(): Promise<void>;
}

export async function sampleReplicas(cluster: TriedCluster): Promise<Sample> {
  const { items } = await cluster.read<Deployments>(["get", "deployments.apps", "-l", WORKERS]);
  const engines = items.map(({ metadata, spec, status }) => {
    // A pod that still drains is one that is paid for.
    const replicas = Math.max(spec.replicas ?? 1, status?.replicas ?? 0);
    return [metadata.name, { replicas, ready: status?.readyReplicas ?? 0 }] as const;
  });
  return { atMs: Date.now(), engines: Object.fromEntries(engines) };
}

/** Looks until it is stopped. An API server that gives no answer for a moment leaves a gap. */
export function watchReplicas(cluster: TriedCluster, pollMs: number): ReplicaWatch {
  const samples: Sample[] = [];
  const stopping = new AbortController();
  const loop = async () => {
    while (!stopping.signal.aborted) {
      try {
        samples.push(await sampleReplicas(cluster));
      } catch (error) {
        if (!(error instanceof TryError)) throw error;
        if (error.code === "interrupted") return;
      }
      await sleep(pollMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const looped = loop();
  // Told to whoever stops it.
  looped.catch(() => {});
  return {
    samples,
    async stop() {
      stopping.abort();
      await looped;
    },
  };
}

/** By engine, how many replicas KEDA leaves where there is nothing to do: 0, or those that are always on. */
export async function readLeast(cluster: TriedCluster): Promise<Record<string, number>> {
  const { items } = await cluster.read<{
    items: { metadata: { name: string }; spec: { minReplicaCount?: number } }[];
  }>(["get", "scaledobjects.keda.sh"]);
  return Object.fromEntries(
    items.map(({ metadata, spec }) => [metadata.name, spec.minReplicaCount ?? 0]),
  );
}

export const isAtRest = ({ engines }: Sample, least: Readonly<Record<string, number>>) =>
  Object.entries(engines).every(([name, { replicas }]) => replicas <= (least[name] ?? 0));

/** The most replicas that the engine had. */
export const peakOf = (samples: readonly Sample[], engine: string) =>
  Math.max(0, ...samples.map(({ engines }) => engines[engine]?.replicas ?? 0));

/** Seconds from the moment until the engine was at zero for good; undefined: it never ran, or it still does. */
export function zeroAfterS(
  samples: readonly Sample[],
  engine: string,
  fromMs: number,
): number | undefined {
  const last = samples.findLastIndex(({ engines }) => (engines[engine]?.replicas ?? 0) > 0);
  const after = last < 0 ? undefined : samples[last + 1];
  return after && (after.atMs - fromMs) / 1_000;
}

/** One line for each moment at which something changed. */
export function describeSamples(samples: readonly Sample[], fromMs: number): string[] {
  const lines: string[] = [];
  let before = "";
  for (const { atMs, engines } of samples) {
    const now = Object.entries(engines)
      .map(([name, { replicas, ready }]) => `${name} ${ready}/${replicas}`)
      .join("  ");
    if (now !== before) lines.push(`${((atMs - fromMs) / 1_000).toFixed(0).padStart(6)} s  ${now}`);
    before = now;
  }
  return lines;
}
