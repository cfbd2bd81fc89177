/** Takes away what a try made, and nothing that another one did: by the label with its run's name. */
import type { TriedCluster } from "./kubectl.ts";
import { TryError } from "./try-error.ts";

/** On what stands outside of the namespace, and on the namespace itself. */
export const RUN_LABEL = "tl-engine/try";

const SCALERS_TIMEOUT_S = 120;
const NAMESPACE_TIMEOUT_S = 300;

/** @throws {TryError} with the command that does the rest by hand. */
export async function removeTry(
  cluster: TriedCluster,
  runId: string,
  say: (line: string) => void,
): Promise<void> {
  const { namespace, context } = cluster;
  const label = `${RUN_LABEL}=${runId}`;
  try {
    const found = await cluster.run(["get", "namespaces", "-l", label, "-o", "name"]);
    if (found.includes(`namespace/${namespace}`)) {
      say(`Removing the namespace ${namespace}, ${NAMESPACE_TIMEOUT_S} s at most …`);
      // While KEDA still knows the namespace: its finalizers would hold it up otherwise.
      await cluster.run(
        ["delete", "scaledobjects.keda.sh", "--all", `--timeout=${SCALERS_TIMEOUT_S}s`],
        { ok: [0, 1], timeoutMs: (SCALERS_TIMEOUT_S + 30) * 1_000 },
      );
      await cluster.run(["delete", "namespace", namespace, `--timeout=${NAMESPACE_TIMEOUT_S}s`], {
        timeoutMs: (NAMESPACE_TIMEOUT_S + 30) * 1_000,
      });
    }
    await cluster.run(["delete", "priorityclasses.scheduling.k8s.io", "-l", label]);
  } catch (error) {
    if (!(error instanceof TryError)) throw error;
    throw new TryError(
      error.code,
      `What the try made is not all gone: ${error.message}\n` +
        `Remove it: kubectl --context=${context} delete namespace ${namespace}; kubectl --context=${context} delete priorityclass -l ${label}`,
      { cause: error },
    );
  }
}

/** How one looks at what was left there. */
export const howToLook = (cluster: TriedCluster, runId: string): string =>
  `Kept. Look: ${cluster.command("get", "scaledobjects,deployments,pods")}\n` +
  `Remove it: kubectl --context=${cluster.context} delete namespace ${cluster.namespace}; ` +
  `kubectl --context=${cluster.context} delete priorityclass -l ${RUN_LABEL}=${runId}`;
