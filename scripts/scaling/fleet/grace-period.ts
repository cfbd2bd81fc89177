/** Finds how long a pod may drain: the Deployment's own `terminationGracePeriodSeconds`. */
import { globSync } from "node:fs";
import { join } from "node:path";
import { readObjects } from "../../kubernetes/read/documents.ts";
import { DEFAULT_GRACE_S, graceSecondsOf } from "../../kubernetes/read/workload.ts";

/** @param folder of manifests, `manifests/base`; it may be missing. Seconds by the Deployment's name. */
export function gracePeriods(folder: string): (deployment: string) => number {
  const deployments = globSync(join(folder, "**/*.yaml"))
    .flatMap((file) => readObjects(file).objects)
    .filter(({ kind }) => kind === "Deployment");
  const seconds = new Map(deployments.map((it) => [it.name, graceSecondsOf(it)]));
  return (deployment) => seconds.get(deployment) ?? DEFAULT_GRACE_S;
}
