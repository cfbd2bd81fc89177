/** Why pods do not become ready, as their states and the namespace's events tell it, and the command that comes next. */
import type { TriedCluster } from "./kubectl.ts";
import { TryError } from "./try-error.ts";

interface Waiting {
  reason?: string;
  message?: string;
}
interface ContainerStatus {
  name: string;
  restartCount?: number;
  state?: { waiting?: Waiting };
}
export interface Pod {
  metadata: { name: string; labels?: Record<string, string>; deletionTimestamp?: string };
  spec?: { containers?: { image?: string }[] };
  status?: {
    phase?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
  };
}
interface KubernetesEvent {
  reason?: string;
  message?: string;
  involvedObject?: { kind?: string; name?: string };
}

const NO_IMAGE = [
  "ErrImagePull",
  "ImagePullBackOff",
  "ErrImageNeverPull",
  "InvalidImageName",
  "RegistryUnavailable",
];
/** What a namespace has not got in its first moments; the controller tries again. */
const OF_A_NEW_NAMESPACE = /status unknown for quota|service ?account.*not found/;
/** The first crash may be that of a server which is not there yet. */
const CRASHES = 2;

/** What is wrong for good, so that waiting on would not help; undefined: nothing is known to be. */
export async function findTrouble(cluster: TriedCluster): Promise<TryError | undefined> {
  const { items: pods } = await cluster.read<{ items: Pod[] }>(["get", "pods"]);
  for (const pod of pods) {
    const trouble = troubleOf(cluster, pod);
    if (trouble) return trouble;
  }
  const { items: events } = await cluster.read<{ items: KubernetesEvent[] }>(["get", "events"]);
  const refused = events.find(
    ({ reason, message }) =>
      reason === "FailedCreate" &&
      /exceeded quota|forbidden/.test(message ?? "") &&
      !OF_A_NEW_NAMESPACE.test(message ?? ""),
  );
  if (!refused) return undefined;
  const { kind = "", name = "" } = refused.involvedObject ?? {};
  const isQuota = /exceeded quota/.test(refused.message ?? "");
  return new TryError(
    isQuota ? "quota_exceeded" : "cluster_unfit",
    `The cluster makes no pod for ${kind} ${name}: ${refused.message}\n` +
      (isQuota
        ? `Look: ${cluster.command("describe", "resourcequota")}`
        : `Look: ${cluster.command("get", "events")}`),
  );
}

function troubleOf(cluster: TriedCluster, pod: Pod): TryError | undefined {
  const { name } = pod.metadata;
  const { conditions = [], containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const describe = `Look: ${cluster.command("describe", "pod", name)}`;
  for (const { state, restartCount = 0 } of [...initContainerStatuses, ...containerStatuses]) {
    const { reason = "", message = "" } = state?.waiting ?? {};
    if (NO_IMAGE.includes(reason))
      return new TryError(
        "image_unavailable",
        `The node has not got the image of the pod ${name} (${reason}): ${message}\n` +
          `Push it: make images REGISTRY=… TAG=… PUSH=1, then REGISTRY=… TAG=… make try-cluster\n${describe}`,
      );
    if (reason === "CreateContainerConfigError" || reason === "CreateContainerError")
      return new TryError("cluster_unfit", `The pod ${name} can't start: ${message}\n${describe}`);
    if (reason === "CrashLoopBackOff" && restartCount >= CRASHES)
      return new TryError(
        "crashing",
        `The pod ${name} ends again and again.\nLook: ${cluster.command("logs", name, "--all-containers", "--previous", "--tail=30")}`,
      );
  }
  const scheduled = conditions.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status === "False" && scheduled.reason === "Unschedulable")
    return new TryError(
      "unschedulable",
      `No node has room for the pod ${name}: ${scheduled.message}\n` +
        `Look: ${cluster.command("get", "nodes")}; a kind or k3d cluster has what Docker may use: 4 CPUs and 6 GiB do`,
    );
  return undefined;
}
