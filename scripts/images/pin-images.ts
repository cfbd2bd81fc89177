/**
 * `make pin-images`: writes the digests of images beside their tags, as the registry has them now. Without ENV those
 * that the Dockerfile begins with; with it those that the environment runs, of which TAG names a new version.
 */
import "../show/closed-pipe.ts";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { environmentNames, OVERLAYS } from "../kubernetes/read/environments.ts";
import { REPOSITORY } from "../repository.ts";
import { printableLines } from "../show/terminal/printable.ts";
import { pinDockerfile, pinOverlay, readDigest } from "./digests.ts";
import { DockerFailed, DockerMissing } from "./docker-cli.ts";
import { BadImageRequest, imageNames, imageReference } from "./image-set.ts";

const EXIT_FAILED = 1;
const EXIT_MISUSED = 2;

async function pin(file: string, change: (text: string) => Promise<string>): Promise<void> {
  const path = join(REPOSITORY, file);
  const before = readFileSync(path, "utf8");
  const after = await change(before);
  if (after !== before) writeFileSync(path, after);
  const digests = after.match(/sha256:[0-9a-f]{64}/g)?.length ?? 0;
  console.log(
    `pin-images: file=${file} digests=${digests} changed=${after === before ? "no" : "yes"}`,
  );
}

async function main(): Promise<void> {
  const { ENV = "", NAME = "", TAG = "" } = process.env;
  if (ENV === "") {
    if (TAG !== "")
      throw new BadImageRequest(
        "TAG is of our own images: say which environment, such as ENV=dev.",
      );
    return pin("Dockerfile", (text) => pinDockerfile(text, readDigest));
  }
  const environments = environmentNames(REPOSITORY);
  if (!environments.includes(ENV))
    throw new BadImageRequest(
      `ENV=${ENV} is no environment; there are ${environments.join(", ")}.`,
    );
  // Refuses what can't be a tag, and latest.
  if (TAG !== "") imageReference("tools", TAG);
  const [name] = NAME === "" ? [] : await imageNames(NAME);
  const image = name && `tl-engine-${name}`;
  await pin(`${OVERLAYS}/${ENV}/kustomization.yaml`, (text) =>
    pinOverlay(text, { image, tag: TAG === "" ? undefined : TAG }, readDigest),
  );
}

try {
  await main();
} catch (error) {
  const expected =
    error instanceof BadImageRequest ||
    error instanceof DockerMissing ||
    error instanceof DockerFailed;
  if (!expected) throw error;
  console.error(printableLines(error.message));
  if (error instanceof DockerFailed)
    console.error(
      "Nothing was written. It needs buildx and a way to the registry: docker buildx version.",
    );
  process.exitCode = error instanceof BadImageRequest ? EXIT_MISUSED : EXIT_FAILED;
}
