/** Replaces the workers, and waits until the new ones are ready. */
import type { SourceObject } from "../read/documents.ts";
import { DeployError, type Kubectl } from "./kubectl.ts";

export const PAUSED = "autoscaling.keda.sh/paused-replicas";
/** All worker pods of a namespace. */
export const WORKERS = "app.kubernetes.io/part-of=tl-engine,app.kubernetes.io/component=worker";

/** Deployments that rest at zero are rolled out at once: they have no pod to wait for. @throws {DeployError} */
export function awaitRollout(run: Kubectl, namespace: string, deployments: SourceObject[]): void {
  for (const { name, value } of deployments) {
    const { progressDeadlineSeconds = 600 } = value.spec as { progressDeadlineSeconds?: number };
    try {
      run([
        "-n",
        namespace,
        "rollout",
        "status",
        `deployment/${name}`,
        `--timeout=${progressDeadlineSeconds}s`,
      ]);
    } catch (error) {
      if (!(error instanceof DeployError)) throw error;
      const { stdout } = run([
        "-n",
        namespace,
        "get",
        "pods",
        "-l",
        `app.kubernetes.io/name=${name}`,
      ]);
      throw new DeployError(
        "rollout_failed",
        `${name} is not rolled out. Old pods keep working where there were any.\n${stdout.trim()}\n` +
          `Why: kubectl -n ${namespace} logs deployment/${name} --tail=30\n` +
          `Back: revert the commit of the tag and deploy again, or kubectl -n ${namespace} rollout undo deployment/${name}`,
        { cause: error },
      );
    }
  }
}

/** Names of the ScaledObjects that `make stop-all` holds at zero. */
export function pausedEngines(run: Kubectl, namespace: string): string[] {
  const { stdout } = run(["-n", namespace, "get", "scaledobjects.keda.sh", "-o", "json"]);
  const { items } = JSON.parse(stdout) as {
    items: { metadata: { name: string; annotations?: Record<string, string> } }[];
  };
  return items
    .filter(({ metadata }) => metadata.annotations?.[PAUSED] !== undefined)
    .map(({ metadata }) => metadata.name);
}
