/** What the rules look at: all that one overlay applies, beside the code that it runs. */
import type { Path } from "../kubernetes/documents.ts";
import type { Files } from "./files.ts";
import type { AppliedObject, Place } from "./placed.ts";

/** What the manifests must know of an engine. */
export interface Engine {
  name: string;
  timeoutMs: number;
  concurrency: number;
}

/** An environment's overlay, put together. */
export interface World {
  /** `dev`, `staging`. */
  environment: string;
  namespace: string;
  objects: AppliedObject[];
  engines: readonly Engine[];
  /** The overlay's target.yaml, where it can be read. */
  target: AppliedObject | undefined;
  files: Files;
}

export type Report = (place: Place, message: string, fix: string) => void;

export interface Rule {
  name: string;
  /** Why, in one sentence; `make lint-manifests EXPLAIN=1` shows it. */
  reason: string;
  check(world: World, report: Report): void;
}

export function valueAt(object: AppliedObject, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === "object" && value !== null
        ? (value as Record<string, unknown>)[step]
        : undefined,
    object.value,
  );
}

export const textIn = (object: AppliedObject, path: Path): string => {
  const value = valueAt(object, path);
  return typeof value === "string" ? value : "";
};

export const listIn = (object: AppliedObject, path: Path): unknown[] => {
  const value = valueAt(object, path);
  // An item that is missing is told by the schema; no rule has to expect it.
  return Array.isArray(value) ? value.map((item: unknown) => item ?? {}) : [];
};

export const mapIn = (object: AppliedObject, path: Path): Record<string, unknown> => {
  const value = valueAt(object, path);
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
};

export const ofKind = ({ objects }: World, kind: string) =>
  objects.filter((object) => object.kind === kind);

export const find = (world: World, kind: string, name: string) =>
  ofKind(world, kind).find((object) => object.name === name);

export const settingsOf = (world: World) =>
  ofKind(world, "ConfigMap").find(({ name }) => name.startsWith("tl-engine-config"));

/** A variable of the workers that is no secret. */
export const settingOf = (world: World, name: string) => {
  const settings = settingsOf(world);
  return settings ? textIn(settings, ["data", name]) : "";
};

const POD_TEMPLATES: Record<string, Path> = {
  Deployment: ["spec", "template"],
  Job: ["spec", "template"],
  CronJob: ["spec", "jobTemplate", "spec", "template"],
};

/** A pod that something makes, and where its template stands. */
export interface Pod {
  object: AppliedObject;
  template: Path;
  spec: Path;
  labels: Record<string, unknown>;
}

export function podsOf({ objects }: World): Pod[] {
  return objects.flatMap((object) => {
    const template = POD_TEMPLATES[object.kind];
    if (!template) return [];
    const labels = mapIn(object, [...template, "metadata", "labels"]);
    return [{ object, template, spec: [...template, "spec"], labels }];
  });
}

/** Paths of a pod's containers, those of its start included. */
export function containersOf({ object, spec }: Pod): Path[] {
  return ["initContainers", "containers"].flatMap((list) =>
    listIn(object, [...spec, list]).map((_, index): Path => [...spec, list, index]),
  );
}

export const titleOf = ({ object }: Pod) => `${object.kind} ${object.name}`;

/** Calls `visit` for each container of each pod. */
export function eachContainer(world: World, visit: (pod: Pod, path: Path, title: string) => void) {
  for (const pod of podsOf(world))
    for (const path of containersOf(pod))
      visit(pod, path, `${textIn(pod.object, [...path, "name"])} of ${titleOf(pod)}`);
}

/** Whether a selector's matchLabels meet labels. An empty selector meets all; none of its expressions are used here. */
export function selects(selector: Record<string, unknown>, labels: Record<string, unknown>) {
  const wanted = (selector.matchLabels ?? {}) as Record<string, unknown>;
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

const UNITS: Record<string, number> = {
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** A Kubernetes quantity as a number; undefined for what is none. */
export function quantity(value: unknown): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(String(value ?? ""));
  const unit = UNITS[match?.[2] ?? ""];
  return match && unit !== undefined ? Number(match[1]) * unit : undefined;
}

/** An entry of a container's `envFrom`. */
export interface Source {
  configMapRef?: { name?: string };
  secretRef?: { name?: string };
}
