/** Finds how long a pod may drain: the Deployment's own `terminationGracePeriodSeconds`. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readObjects } from "../kubernetes/documents.ts";

/** Kubernetes' default. */
const DEFAULT_S = 30;

/** @param folder of manifests, `manifests/base`; it may be missing. Seconds by the Deployment's name. */
export function gracePeriods(folder: string): (deployment: string) => number {
  const seconds = new Map<string, number>();
  const files = existsSync(folder)
    ? (readdirSync(folder, { recursive: true }) as string[]).filter((file) =>
        file.endsWith(".yaml"),
      )
    : [];
  for (const file of files)
    for (const { kind, name, value } of readObjects(join(folder, file)).objects) {
      const graceS = (value as DeploymentShape).spec?.template?.spec?.terminationGracePeriodSeconds;
      if (kind === "Deployment" && typeof graceS === "number") seconds.set(name, graceS);
    }
  return (deployment) => seconds.get(deployment) ?? DEFAULT_S;
}

interface DeploymentShape {
  spec?: { template?: { spec?: { terminationGracePeriodSeconds?: unknown } } };
}
