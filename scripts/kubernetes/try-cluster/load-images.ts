/** Brings our images to the nodes of a kind or k3d cluster; any other one pulls them from its registry. */
import { spawnSync } from "node:child_process";
import { TryError } from "./try-error.ts";

const LOAD_TIMEOUT_MS = 300_000;

interface Loader {
  tool: "kind" | "k3d";
  args(images: readonly string[]): string[];
}

/** By the name of the context, as both tools give it. */
function loaderOf(context: string): Loader | undefined {
  const [, tool, name = ""] = /^(kind|k3d)-(.+)$/.exec(context) ?? [];
  if (tool === "kind")
    return { tool, args: (images) => ["load", "docker-image", ...images, "--name", name] };
  if (tool === "k3d") return { tool, args: (images) => ["image", "import", ...images, "-c", name] };
  return undefined;
}

/** Whether the images are loaded: a registry that is named is where they come from. */
export const loadsImages = (context: string, registry: string | undefined) =>
  registry === undefined && loaderOf(context) !== undefined;

/** @throws {TryError} `image_unavailable`, with the command that builds them. */
export function loadImages(context: string, images: readonly string[]): void {
  const loader = loaderOf(context);
  if (!loader) return;
  const build = `Build them: ${buildCommand(images)}\nOr have the cluster pull them: REGISTRY=… make try-cluster`;
  for (const image of images) {
    const { status, error } = spawnSync("docker", ["image", "inspect", image], { stdio: "ignore" });
    if (error)
      throw new TryError("image_unavailable", `Docker is needed to load ${image}. ${build}`);
    if (status !== 0)
      throw new TryError("image_unavailable", `There is no image ${image} here. ${build}`);
  }
  const { status, stderr, error } = spawnSync(loader.tool, loader.args(images), {
    encoding: "utf8",
    timeout: LOAD_TIMEOUT_MS,
  });
  if (error || status !== 0)
    throw new TryError(
      "image_unavailable",
      `${loader.tool} did not load the images: ${error?.message ?? stderr.trim()}`,
    );
}

/** `make images` with the registry and tag that the images are called by. */
function buildCommand([image = ""]: readonly string[]): string {
  const [, registry, tag] = /^(?:(.*)\/)?tl-engine-[a-z0-9-]+:([^@]+)/.exec(image) ?? [];
  const parts = [registry && `REGISTRY=${registry}`, tag && `TAG=${tag}`].filter(Boolean);
  return ["make images", ...parts].join(" ");
}
