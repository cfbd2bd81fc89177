/** Digests: what an image is named by that never becomes another one, as its tag can. */
import { type Document, parseDocument, YAMLMap, YAMLSeq } from "yaml";
import { DockerFailed, docker } from "./docker-cli.ts";
import { parseDockerfile } from "./dockerfile.ts";
import { BadImageRequest } from "./image-set.ts";

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const VERSION_LABEL = "app.kubernetes.io/version";
const UNPINNED = "../../addons/unpinned-images";

/** Gives the digest that a registry has for `name:tag`. */
export type ReadDigest = (reference: string) => Promise<string>;

/**
 * Asks the registry, without a daemon. For several platforms it is the index's, from which each machine
 * takes its own image. Throws DockerFailed.
 */
export async function readDigest(reference: string): Promise<string> {
  const format = ["--format", "{{.Manifest.Digest}}"];
  const said = await docker(["buildx", "imagetools", "inspect", reference, ...format]);
  const digest = said.toString().trim();
  if (!DIGEST.test(digest))
    throw new DockerFailed(`${reference}: the registry gives no digest but "${digest}".`);
  return digest;
}

/** The images that a Dockerfile takes from outside, as they stand in it. */
export function baseImages(dockerfile: string): string[] {
  const { stages } = parseDockerfile(dockerfile);
  const own = new Set(["scratch", ...stages.map(({ as }) => as)]);
  const outside = stages.filter(({ from }) => !own.has(from) && !from.includes("$"));
  return [...new Set(outside.map(({ from }) => from))];
}

/** The Dockerfile with each of them as `name:tag@digest`. */
export async function pinDockerfile(dockerfile: string, read: ReadDigest): Promise<string> {
  let pinned = dockerfile;
  for (const image of baseImages(dockerfile)) {
    const [reference = image] = image.split("@");
    const digest = await read(reference);
    pinned = pinned.replaceAll(`FROM ${image}`, `FROM ${reference}@${digest}`);
  }
  return pinned;
}

export interface Pin {
  /** Image without its registry, `tl-engine-activities`; all of the overlay's without it. */
  image?: string | undefined;
  /** What `newTag` becomes first; without it the tag stays. */
  tag?: string | undefined;
}

/**
 * An overlay's kustomization.yaml with a digest beside each `newTag`. Once every image has one, no start needs to
 * ask for what a tag means, so the component unpinned-images goes. Throws BadImageRequest, DockerFailed.
 */
export async function pinOverlay(
  kustomization: string,
  { image, tag }: Pin,
  read: ReadDigest,
): Promise<string> {
  const document = parseDocument(kustomization);
  const images = mapsOf(document, "images");
  const chosen = images.filter((one) => image === undefined || nameOf(one).endsWith(`/${image}`));
  if (chosen.length === 0)
    throw new BadImageRequest(`${image} is not under images: of the overlay: list it there first.`);
  for (const one of chosen) {
    if (tag !== undefined) one.set("newTag", tag);
    one.set("digest", await read(`${nameOf(one)}:${one.get("newTag")}`));
  }
  // The release that an environment is at is that of its tools.
  const tools = images.find((one) => nameOf(one).endsWith("/tl-engine-tools"));
  for (const labels of mapsOf(document, "labels"))
    if (tools && labels.hasIn(["pairs", VERSION_LABEL]))
      labels.setIn(["pairs", VERSION_LABEL], tools.get("newTag"));
  if (images.every((one) => one.has("digest"))) leaveOut(document, "components", UNPINNED);
  return document.toString({ lineWidth: 0 });
}

const nameOf = (image: YAMLMap) => String(image.get("newName") ?? image.get("name"));

function mapsOf(document: Document, key: string): YAMLMap[] {
  const list = document.get(key);
  return list instanceof YAMLSeq ? list.items.filter((item) => item instanceof YAMLMap) : [];
}

function leaveOut(document: Document, key: string, value: string): void {
  const list = document.get(key);
  if (!(list instanceof YAMLSeq)) return;
  const index = (list.toJSON() as unknown[]).indexOf(value);
  if (index >= 0) list.delete(index);
}
