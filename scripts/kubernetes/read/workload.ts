/** What a workload asks of the cluster: the size of its pods, how many there can be, how long they may take to leave. */
import type { Path } from "./documents.ts";
import { cpus, gibibytes, quantity } from "./quantity.ts";
import { listIn, valueAt } from "./value-at.ts";

/** A Deployment, a Job or a CronJob. */
export interface Workload {
  kind: string;
  value: Record<string, unknown>;
}

export interface PodSize {
  /** CPUs that it requests. */
  cpu: number;
  memoryGib: number;
}

const POD_TEMPLATES: Readonly<Record<string, Path>> = {
  Deployment: ["spec", "template"],
  Job: ["spec", "template"],
  CronJob: ["spec", "jobTemplate", "spec", "template"],
};

/** Where the template of its pods stands; undefined for what makes none. */
export const podTemplateOf = ({ kind }: Workload): Path | undefined =>
  Object.hasOwn(POD_TEMPLATES, kind) ? POD_TEMPLATES[kind] : undefined;

/** Paths of its pods' containers, those of their start included. */
export function containersOf(workload: Workload): Path[] {
  const template = podTemplateOf(workload);
  if (!template) return [];
  return ["initContainers", "containers"].flatMap((list) => {
    const path = [...template, "spec", list];
    return listIn(workload, path).map((_, index): Path => [...path, index]);
  });
}

/**
 * What the scheduler counts of a pod: the sum of its containers, or the largest that runs before them.
 * @param missing what a container counts for that states nothing.
 */
export function podNeeds(
  workload: Workload,
  field: "requests" | "limits",
  resource: string,
  missing = 0,
): number {
  const needs = (path: Path) =>
    quantity(valueAt(workload, [...path, "resources", field, resource])) ?? missing;
  const paths = containersOf(workload);
  const initial = paths.filter((path) => path.at(-2) === "initContainers").map(needs);
  const running = paths.filter((path) => path.at(-2) === "containers").map(needs);
  return Math.max(
    ...initial,
    running.reduce((sum, one) => sum + one, 0),
  );
}

/** What a container requests that does not say: the owner's figures, and the LimitRange's default. */
const DEFAULT_REQUESTS = { cpu: "250m", memory: "256Mi" };
const DEFAULT_SIZE: PodSize = {
  cpu: cpus(DEFAULT_REQUESTS.cpu) ?? 0,
  memoryGib: gibibytes(DEFAULT_REQUESTS.memory) ?? 0,
};

/** What one of its pods requests; the default for none. */
export function podSizeOf(workload: Workload | undefined): PodSize {
  if (!workload || containersOf(workload).length === 0) return DEFAULT_SIZE;
  const bytes = podNeeds(workload, "requests", "memory", quantity(DEFAULT_REQUESTS.memory));
  return {
    cpu: podNeeds(workload, "requests", "cpu", DEFAULT_SIZE.cpu),
    memoryGib: bytes / 2 ** 30,
  };
}

/** Kubernetes' own, where a workload says nothing. */
const DEFAULT_SURGE = "25%";
export const DEFAULT_GRACE_S = 30;

/** Pods that a rollout may start before it stops others. A percentage is rounded up, as Kubernetes does. */
export function surgeOf(deployment: Workload | undefined, replicas: number): number {
  const path = ["spec", "strategy", "rollingUpdate", "maxSurge"];
  const surge = String((deployment && valueAt(deployment, path)) ?? DEFAULT_SURGE);
  return surge.endsWith("%")
    ? Math.ceil((replicas * Number.parseFloat(surge)) / 100)
    : Number(surge);
}

/** Seconds from SIGTERM to SIGKILL. */
export function graceSecondsOf(workload: Workload): number {
  const template = podTemplateOf(workload) ?? [];
  const path = [...template, "spec", "terminationGracePeriodSeconds"];
  return Number(valueAt(workload, path) ?? DEFAULT_GRACE_S);
}
