/** Finds how long a pod may drain: the Deployment's own `terminationGracePeriodSeconds`. */
import { engineDeployments } from "../../kubernetes/read/environments.ts";
import { DEFAULT_GRACE_S, graceSecondsOf } from "../../kubernetes/read/workload.ts";

/** @param root of the repository, whose manifests may be missing. Seconds by the Deployment's name. */
export function gracePeriods(root: string): (deployment: string) => number {
  const seconds = new Map(engineDeployments(root).map((it) => [it.name, graceSecondsOf(it)]));
  return (deployment) => seconds.get(deployment) ?? DEFAULT_GRACE_S;
}
