/** What `make images PUSH=1` sent to the registry, by digest, for those who sign it and tell where it comes from. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "../repository.ts";
import { DockerFailed, docker } from "./docker-cli.ts";
import { BadImageRequest } from "./image-set.ts";

export const SBOMS = join(REPOSITORY, "out/images");
const PUSHED = join(SBOMS, "pushed.sha256");

export const sbomOf = (name: string) => join(SBOMS, `${name}.sbom.json`);

/**
 * `<repository>@sha256:…` of an image that was just pushed: as the push left it here. What its tag means in the
 * registry by now may be somebody else's.
 */
export async function pushedDigest(image: string): Promise<string> {
  const repository = image.slice(0, image.lastIndexOf(":"));
  const said = await docker(["image", "inspect", "--format", "{{json .RepoDigests}}", image]);
  const digests = (JSON.parse(said.toString()) ?? []) as string[];
  const found = digests.find((digest) => digest.startsWith(`${repository}@sha256:`));
  if (!found) throw new DockerFailed(`${image} was pushed, and docker names no digest for it.`);
  return found;
}

/** In the form of sha256sum, which the provenance takes its subjects from. */
export function writePushed(images: readonly string[], file = PUSHED): void {
  const lines = images.map((image) => {
    const [repository, digest] = image.split("@sha256:");
    return `${digest}  ${repository}\n`;
  });
  writeFileSync(file, lines.join(""));
}

/** @throws {BadImageRequest} when nothing was pushed from here. */
export function readPushed(file = PUSHED): { name: string; image: string }[] {
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new BadImageRequest(
      "Nothing was pushed from here: make images PUSH=1 REGISTRY=… comes first.",
    );
  }
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [digest, repository = ""] = line.split("  ");
      const name = repository.slice(repository.lastIndexOf("/tl-engine-") + "/tl-engine-".length);
      return { name, image: `${repository}@sha256:${digest}` };
    });
}
