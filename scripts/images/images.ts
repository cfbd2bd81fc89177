/**
 * `make images`: builds the image of each engine and the one of the tools, checks that nothing is inside
 * that does not belong there, and writes their SBOMs to out/images/. PUSH=1 sends them to REGISTRY then.
 */
import "../show/closed-pipe.ts";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { REPOSITORY } from "../repository.ts";
import { printableLines } from "../show/terminal/printable.ts";
import { contentProblems } from "./check-contents.ts";
import { DockerFailed, DockerMissing, docker, requireDocker } from "./docker-cli.ts";
import { bundlesOf, sourceFilesOf } from "./dockerfile.ts";
import { takeApart } from "./image-contents.ts";
import {
  BadImageRequest,
  defaultTag,
  imageNames,
  imageReference,
  labelsOf,
  readSource,
  type Source,
  TOOLS,
} from "./image-set.ts";
import { productionPackages, readLock } from "./production-packages.ts";
import { pushedDigest, SBOMS, sbomOf, writePushed } from "./pushed.ts";

const EXIT_FAILED = 1;
const EXIT_MISUSED = 2;

const say = (line: string) => process.stderr.write(`${printableLines(line)}\n`);

/** npm's settings of this user and the certificates of this machine: for the build, not in the image. */
function secrets(env: NodeJS.ProcessEnv): string[] {
  const npmrc = env.NPM_CONFIG_USERCONFIG || join(homedir(), ".npmrc");
  const certificates = env.NODE_EXTRA_CA_CERTS;
  return [
    ...(existsSync(npmrc) ? ["--secret", `id=npmrc,src=${npmrc}`] : []),
    ...(certificates ? ["--secret", `id=certificates,src=${certificates}`] : []),
  ];
}

async function build(name: string, image: string, source: Source): Promise<void> {
  const which = name === TOOLS ? ["KIND=tools"] : [`NAME=${name}`];
  const labels = Object.entries(labelsOf(name, source)).map(([key, value]) => `${key}=${value}`);
  const args = [
    ...which.flatMap((argument) => ["--build-arg", argument]),
    ...labels.flatMap((label) => ["--label", label]),
    ...secrets(process.env),
    // For a build that needs more of the machine, such as --network=host.
    ...(process.env.BUILD_FLAGS ?? "").split(/\s+/).filter(Boolean),
  ];
  await docker(["build", "--tag", image, ...args, REPOSITORY], { env: { DOCKER_BUILDKIT: "1" } });
}

/** Throws when the image holds something else than it should. */
async function check(name: string, image: string): Promise<{ packages: number }> {
  const workspaces = (name === TOOLS ? await imageNames(undefined) : [name])
    .filter((worker) => worker !== TOOLS)
    .map((worker) => `workers/${worker}`);
  const packages = productionPackages(readLock(), workspaces);
  const { contents, sbom } = await takeApart(image);
  const problems = contentProblems(contents, {
    sources: sourceFilesOf(name),
    packages,
    bundles: bundlesOf(name),
  });
  if (problems.length > 0)
    throw new DockerFailed(`${image} is not as it should be:\n  ${problems.join("\n  ")}`);
  mkdirSync(SBOMS, { recursive: true });
  writeFileSync(sbomOf(name), sbom);
  return { packages: packages.length };
}

async function main(): Promise<void> {
  const { NAME, TAG, REGISTRY, PUSH = "" } = process.env;
  if (PUSH !== "" && !REGISTRY)
    throw new BadImageRequest("PUSH=1 needs a REGISTRY, such as ghcr.io/tiendaleon.");
  const source = readSource();
  const tag = TAG || defaultTag(source);
  const names = await imageNames(NAME);
  const images = names.map((name) => ({ name, image: imageReference(name, tag, REGISTRY) }));
  await requireDocker();
  const sizes: number[] = [];
  for (const { name, image } of images) {
    say(`${image}: building …`);
    await build(name, image, source);
    const { packages } = await check(name, image);
    const bytes = Number(await docker(["image", "inspect", "--format", "{{.Size}}", image]));
    sizes.push(Math.round(bytes / 1e6));
    say(`${image}: ${sizes.at(-1)} MB, ${packages} packages, out/images/${name}.sbom.json`);
  }
  // Only when all of them are as they should be.
  const pushed: string[] = [];
  for (const { image } of PUSH === "" ? [] : images) {
    say(`${image}: pushing …`);
    await docker(["push", image], { show: true });
    pushed.push(await pushedDigest(image));
  }
  if (PUSH !== "") writePushed(pushed);
  if (PUSH !== "") say(`Next, in each environment: make pin-images ENV=dev TAG=${tag}`);
  console.log(`images: built=${images.length} tag=${tag} size_mb=${sizes.join(",")}`);
}

try {
  await main();
} catch (error) {
  const expected =
    error instanceof BadImageRequest ||
    error instanceof DockerMissing ||
    error instanceof DockerFailed;
  if (!expected) throw error;
  say(error.message);
  process.exitCode = error instanceof BadImageRequest ? EXIT_MISUSED : EXIT_FAILED;
}
