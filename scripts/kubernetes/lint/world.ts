/** What the rules look at: all that one overlay applies, beside the code that it runs. */
import type { WorkerDefinition } from "../../../shared/engine/define-worker.ts";
import type { Files } from "../kustomize/files.ts";
import type { AppliedObject, Place } from "../kustomize/placed.ts";
import type { Path } from "../read/documents.ts";
import { listIn, mapIn, textIn } from "../read/value-at.ts";
import { containersOf, podTemplateOf } from "../read/workload.ts";

/** What the manifests must know of an engine. */
export type Engine = Pick<
  WorkerDefinition,
  "name" | "timeoutMs" | "concurrency" | "actions" | "transactions" | "env" | "background" | "files"
>;

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

/** A pod that something makes, and where its template stands. */
export interface Pod {
  object: AppliedObject;
  template: Path;
  spec: Path;
  labels: Record<string, unknown>;
}

export function podsOf({ objects }: World): Pod[] {
  return objects.flatMap((object) => {
    const template = podTemplateOf(object);
    if (!template) return [];
    const labels = mapIn(object, [...template, "metadata", "labels"]);
    return [{ object, template, spec: [...template, "spec"], labels }];
  });
}

export const titleOf = ({ object }: Pod) => `${object.kind} ${object.name}`;

/** Calls `visit` for each container of each pod. */
export function eachContainer(world: World, visit: (pod: Pod, path: Path, title: string) => void) {
  for (const pod of podsOf(world))
    for (const path of containersOf(pod.object))
      visit(pod, path, `${textIn(pod.object, [...path, "name"])} of ${titleOf(pod)}`);
}

/** Calls `visit` for each trigger of each ScaledObject, with the path to it. */
export function eachTrigger(
  world: World,
  visit: (object: AppliedObject, path: Path, trigger: Record<string, unknown>) => void,
) {
  for (const object of ofKind(world, "ScaledObject"))
    for (const index of listIn(object, ["spec", "triggers"]).keys()) {
      const path = ["spec", "triggers", index];
      visit(object, path, mapIn(object, path));
    }
}

/** Whether a selector's matchLabels meet labels. An empty selector meets all; none of its expressions are used here. */
export function selects(selector: Record<string, unknown>, labels: Record<string, unknown>) {
  const wanted = (selector.matchLabels ?? {}) as Record<string, unknown>;
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

/** An entry of a container's `envFrom`. */
export interface Source {
  configMapRef?: { name?: string };
  secretRef?: { name?: string };
}
