/** Waiting, told: what for, for how long at most, and what was wrong where it was in vain. */
import { setTimeout as sleep } from "node:timers/promises";
import { findTrouble } from "./diagnose.ts";
import type { TriedCluster } from "./kubectl.ts";
import { TryError } from "./try-error.ts";

export interface Patience {
  timeoutMs: number;
  pollMs: number;
  signal: AbortSignal;
  say(line: string): void;
}

/** Nodes that are on their way make a pod wait that is welcome later. */
const UNSCHEDULABLE_PATIENCE_MS = 120_000;

/**
 * Polls until something is there.
 * @param look for a person, when it took too long.
 * @throws {TryError} `timed_out`
 */
export async function until<T>(
  what: string,
  { timeoutMs, pollMs, signal, say }: Patience,
  probe: () => Promise<T | undefined>,
  look: string,
): Promise<T> {
  say(`Waiting for ${what}, ${Math.ceil(timeoutMs / 1_000)} s at most …`);
  for (const startedAtMs = performance.now(); ; ) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() - startedAtMs > timeoutMs)
      throw new TryError(
        "timed_out",
        `Waited ${timeoutMs / 1_000} s for ${what}, in vain.\nLook: ${look}`,
      );
    await sleep(pollMs, undefined, { signal });
  }
}

interface Deployments {
  items: {
    metadata: { name: string };
    spec: { replicas?: number };
    status?: { readyReplicas?: number };
  }[];
}

/** All replicas of these Deployments; one that rests at zero is ready. @throws {TryError} with what keeps a pod from it. */
export async function untilReady(
  cluster: TriedCluster,
  names: readonly string[],
  patience: Patience,
): Promise<void> {
  const startedAtMs = performance.now();
  const probe = async () => {
    const { items } = await cluster.read<Deployments>(["get", "deployments.apps"]);
    const waiting = names.filter((name) => {
      const found = items.find(({ metadata }) => metadata.name === name);
      return !found || (found.status?.readyReplicas ?? 0) < (found.spec.replicas ?? 1);
    });
    if (waiting.length === 0) return true;
    const trouble = await findTrouble(cluster);
    const mayPass =
      trouble?.code === "unschedulable" &&
      performance.now() - startedAtMs < Math.min(UNSCHEDULABLE_PATIENCE_MS, patience.timeoutMs);
    if (trouble && !mayPass) throw trouble;
    return undefined;
  };
  await until(`the pods of ${names.join(", ")}`, patience, probe, cluster.command("get", "pods"));
}
