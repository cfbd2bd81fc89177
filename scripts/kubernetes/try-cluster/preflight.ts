/** Looks before anything is made: the environment allows tries, the cluster has KEDA, and the namespace is free. */
import { DeployError } from "../deploy/kubectl.ts";
import { allowedCluster, type Environment, readTarget } from "../deploy/target.ts";
import type { TriedCluster } from "./kubectl.ts";
import { LEAST_KEDA } from "./pinned.ts";
import { TryError } from "./try-error.ts";

/** The context that kubectl points to, where the overlay allows it and tries in it. @throws {TryError} */
export function allowedContext(environment: Environment): string {
  try {
    if (!readTarget(environment).allowsTries)
      throw new TryError(
        "context_refused",
        `${environment.name} allows no tries: one kills pods and removes the namespace ${environment.namespace} at its end.\n` +
          "Try another environment: make try-cluster ENV=dev",
      );
    return allowedCluster(environment).context;
  } catch (error) {
    if (!(error instanceof DeployError)) throw error;
    const code = error.code === "context_refused" ? "context_refused" : "misused";
    const next = code === "misused" ? "" : "\nOr make a cluster for it: make cluster-up";
    throw new TryError(code, `${error.message}${next}`, { cause: error });
  }
}

const INSTALL =
  "Install it: make cluster-up does in a cluster of its own, or https://keda.sh/docs/latest/deploy/";

interface Crd {
  spec?: { versions?: { name?: string; served?: boolean }[] };
}
interface Deployments {
  items: {
    metadata: { name: string; namespace: string };
    spec: { template: { spec: { containers: { image: string }[] } } };
    status?: { availableReplicas?: number };
  }[];
}

/** KEDA's version. @throws {TryError} `cluster_unfit` */
export async function expectKeda(cluster: TriedCluster): Promise<string> {
  const unfit = (what: string) => new TryError("cluster_unfit", what);
  const name = "scaledobjects.keda.sh";
  const found = await cluster.run(["get", "crd", name, "--ignore-not-found", "-o", "json"]);
  if (found.trim() === "")
    throw unfit(`The cluster of ${cluster.context} has no KEDA (no CRD ${name}). ${INSTALL}`);
  const versions = (JSON.parse(found) as Crd).spec?.versions ?? [];
  const served = versions.filter((it) => it.served).map((it) => it.name);
  if (!served.includes("v1alpha1"))
    throw unfit(
      `The CRD ${name} serves ${served.join(", ") || "no version"}, and keda/*.yaml is written in v1alpha1.\nLook: ${cluster.command("get", "crd", name, "-o", "yaml")}`,
    );
  const { items } = await cluster.read<Deployments>([
    ...["get", "deployments.apps", "-A", "-l", "app=keda-operator"],
  ]);
  const operator = items.find(({ metadata }) => metadata.name === "keda-operator");
  if (!operator)
    throw unfit(`KEDA's CRDs are there, and its Deployment keda-operator is not. ${INSTALL}`);
  const { namespace } = operator.metadata;
  if (!operator.status?.availableReplicas)
    throw unfit(
      `KEDA's operator in the namespace ${namespace} is not available: nothing would be scaled.\nLook: kubectl --context=${cluster.context} -n ${namespace} get pods`,
    );
  const image = operator.spec.template.spec.containers[0]?.image ?? "";
  const version = /:v?(\d+\.\d+\.\d+)/.exec(image)?.[1] ?? "unknown";
  if (isOlder(version, LEAST_KEDA))
    throw unfit(`KEDA ${version} is older than ${LEAST_KEDA}, which keda/*.yaml needs. ${INSTALL}`);
  await expectMetrics(cluster);
  return version;
}

/** What the HPA asks for a queue's depth: without it KEDA wakes an engine, and it stays at one replica. */
async function expectMetrics(cluster: TriedCluster): Promise<void> {
  const name = "v1beta1.external.metrics.k8s.io";
  const found = await cluster.run(["get", "apiservice", name, "--ignore-not-found", "-o", "json"]);
  const { status } = JSON.parse(found.trim() || "{}") as {
    status?: { conditions?: { type: string; status: string; message?: string }[] };
  };
  const available = status?.conditions?.find(({ type }) => type === "Available");
  if (available?.status !== "True")
    throw new TryError(
      "cluster_unfit",
      `KEDA's metrics are not served (${available?.message ?? "no APIService"}), so nothing would scale past one replica.
Look: kubectl --context=${cluster.context} describe apiservice ${name}`,
    );
}

/** An unknown version is none to refuse for: an image may be named by its digest alone. */
function isOlder(version: string, least: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor = 0, leastMinor = 0] = least.split(".").map(Number);
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}

/** @throws {TryError} `namespace_taken`: whatever is in it would be removed with the try. */
export async function expectFree(cluster: TriedCluster): Promise<void> {
  const { namespace } = cluster;
  const there = await cluster.run([
    ...["get", "namespace", namespace, "--ignore-not-found", "--show-labels", "--no-headers"],
  ]);
  if (there.trim() === "") return;
  const isOurs = there.includes("tl-engine/only-for=tries");
  throw new TryError(
    "namespace_taken",
    isOurs
      ? `The namespace ${namespace} is that of another try, which runs or was kept.\nRemove it: kubectl --context=${cluster.context} delete namespace ${namespace}`
      : `The cluster of ${cluster.context} has a namespace ${namespace} that no try made. A try removes its namespace, so it needs a cluster without it: make cluster-up`,
  );
}
