/** Ends one pod of the engine in the middle of its work, as a node that is lost would: without time to drain. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Pod } from "./diagnose.ts";
import type { TriedCluster } from "./kubectl.ts";
import type { Results } from "./results.ts";

export interface KillOptions {
  engine: string;
  jobs: number;
  pollMs: number;
  timeoutMs: number;
  signal: AbortSignal;
  say(line: string): void;
}

export interface Killed {
  pod: string;
  /** Jobs that were done by then: fewer than all of them, or nothing was tried. */
  doneBefore: number;
}

/** What a pod must have done before it is in the middle of something. */
const BEGUN = 0.02;

/** Undefined: there was never a pod to kill while jobs were left. */
export async function killPodInTheMiddle(
  cluster: TriedCluster,
  results: Pick<Results, "count">,
  { engine, jobs, pollMs, timeoutMs, signal, say }: KillOptions,
): Promise<Killed | undefined> {
  say(
    `Waiting for ${engine} to be at work, ${timeoutMs / 1_000} s at most, to kill one of its pods …`,
  );
  for (const startedAtMs = performance.now(); performance.now() - startedAtMs < timeoutMs; ) {
    const done = await results.count(engine);
    if (done >= jobs) return undefined;
    const pod = done >= jobs * BEGUN ? await runningPod(cluster, engine) : undefined;
    if (pod !== undefined) {
      await cluster.run(["delete", "pod", pod, "--now", "--wait=false"]);
      say(
        `Killed ${pod} with ${done.toLocaleString("en-US")} of ${jobs.toLocaleString("en-US")} jobs done.`,
      );
      return { pod, doneBefore: done };
    }
    await sleep(pollMs, undefined, { signal });
  }
  return undefined;
}

async function runningPod(cluster: TriedCluster, engine: string): Promise<string | undefined> {
  const { items } = await cluster.read<{ items: Pod[] }>([
    ...["get", "pods", "-l", `app.kubernetes.io/name=${engine}`],
  ]);
  return items.find(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined && status?.phase === "Running",
  )?.metadata.name;
}
