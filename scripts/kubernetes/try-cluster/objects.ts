/** What a try applies: the overlay's objects with as little changed as a cluster without its operators and secrets asks for. */
import { join } from "node:path";
import { REPOSITORY } from "../../repository.ts";
import { kubectl } from "../deploy/kubectl.ts";
import { render } from "../deploy/render.ts";
import type { Environment } from "../deploy/target.ts";
import { ONLY_FOR_TRIES } from "../lint/rules/tries.ts";
import { readObjects, type SourceObject } from "../read/documents.ts";
import { valueAt } from "../read/value-at.ts";
import { containersOf } from "../read/workload.ts";
import { RUN_LABEL } from "./remove.ts";
import { TryError } from "./try-error.ts";

/** Kinds of operators that a try does without: it makes the Secrets itself, and nobody reads the metrics. */
const LEFT_OUT = ["ExternalSecret", "PodMonitor", "CiliumNetworkPolicy"];
/** Starts at night, which no try lasts to. */
const NOT_STARTED = ["CronJob"];
const OUR_IMAGE = /^(.*\/)?(tl-engine-[a-z0-9-]+)(?::[^@]*)?(?:@.*)?$/;

export interface TryObjects {
  /** Of the overlay. */
  fleet: SourceObject[];
  /** Broker, database and Redis. */
  services: SourceObject[];
  /** Kinds of the overlay that are not applied. */
  leftOut: string[];
  /** Our images, each once. */
  images: string[];
  /** ENGINE_PREFIX of the workers. */
  prefix: string;
}

export interface ImageChoice {
  registry: string | undefined;
  tag: string | undefined;
  /** They are on the nodes already, and no registry has to be asked. */
  areLoaded: boolean;
}

/** @throws {DeployError} for an overlay that does not render. */
export function tryObjects(
  environment: Environment,
  choice: ImageChoice,
  runId: string,
): TryObjects {
  const { objects } = render(environment);
  const skipped = [...LEFT_OUT, ...NOT_STARTED];
  const fleet = objects.filter(({ kind }) => !skipped.includes(kind));
  const images = new Set<string>();
  for (const object of fleet) {
    for (const path of containersOf(object)) {
      const container = valueAt(object, path) as { image: string; imagePullPolicy?: string };
      container.image = imageOf(container.image, choice);
      if (choice.areLoaded) container.imagePullPolicy = "IfNotPresent";
      images.add(container.image);
    }
    // What is outside of the namespace is known by this to be the try's.
    if (["Namespace", "PriorityClass"].includes(object.kind)) label(object, runId);
  }
  const services = readServices();
  return {
    fleet,
    services,
    leftOut: [...new Set(objects.map(({ kind }) => kind))]
      .filter((it) => skipped.includes(it))
      .sort(),
    images: [...images].sort(),
    prefix: prefixOf(fleet),
  };
}

/** The overlay's name of an image, elsewhere or of another version where that is asked for. */
function imageOf(image: string, { registry, tag }: ImageChoice): string {
  const [, folder = "", name] = OUR_IMAGE.exec(image) ?? [];
  if (name === undefined || (registry === undefined && tag === undefined)) return image;
  const written = /:([^/@]+)/.exec(image.slice(folder.length))?.[1];
  return `${registry === undefined ? folder : `${registry}/`}${name}:${tag ?? written ?? "missing"}`;
}

function label({ value }: SourceObject, runId: string): void {
  const metadata = value.metadata as { labels?: Record<string, string> };
  metadata.labels = { ...metadata.labels, [ONLY_FOR_TRIES]: "tries", [RUN_LABEL]: runId };
}

function readServices(): SourceObject[] {
  const folder = join(REPOSITORY, "manifests/addons/try-services");
  const { objects, problems } = readObjects(folder, kubectl(["kustomize", folder]).stdout);
  const [problem] = problems;
  if (problem) throw new TryError("misused", `${folder}: ${problem.message}`);
  return objects;
}

function prefixOf(objects: readonly SourceObject[]): string {
  const config = objects.find(
    ({ kind, name }) => kind === "ConfigMap" && name.startsWith("tl-engine-config"),
  );
  const data = config?.value.data as { ENGINE_PREFIX?: string } | undefined;
  return data?.ENGINE_PREFIX || "engine";
}
