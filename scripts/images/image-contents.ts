/** Takes an image apart: its files, its packages, its SBOM. Nothing in it is run. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Contents } from "./check-contents.ts";
import { DockerFailed, docker } from "./docker-cli.ts";
import type { Sbom } from "./sbom.ts";

export interface TakenApart {
  contents: Contents;
  /** The SBOM's text. */
  sbom: string;
}

export async function takeApart(image: string): Promise<TakenApart> {
  const folder = mkdtempSync(join(tmpdir(), "tl-engine-image-"));
  const container = (await docker(["create", image])).toString().trim();
  try {
    await extract(container, folder);
    const sbom = readFileSync(join(folder, "app/sbom.json"), "utf8");
    const { components } = JSON.parse(sbom) as Sbom;
    const files = filesUnder(folder, "");
    return {
      contents: {
        files,
        sbom: components.map((it) => it["bom-ref"]),
        installed: packagesIn(folder, files),
      },
      sbom,
    };
  } finally {
    await docker(["rm", container]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The files of a container that was never started. Devices can't be made by just any user, and none is ours. */
async function extract(container: string, folder: string): Promise<void> {
  const from = spawn("docker", ["export", container], { stdio: ["ignore", "pipe", "inherit"] });
  const into = spawn("tar", ["-x", "-C", folder, "--no-same-owner", "--exclude=dev/*"], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  from.stdout.pipe(into.stdin);
  const codes = await Promise.all(
    [from, into].map(async (child) => (await once(child, "close"))[0] as number),
  );
  if (codes.some((code) => code !== 0))
    throw new DockerFailed(
      `the files of ${container} can't be read (docker export, tar: ${codes})`,
    );
}

/** Files and links, as paths; a link is not followed. */
function filesUnder(folder: string, prefix: string): string[] {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
    const path = `${prefix}${entry.name}`;
    return entry.isDirectory() ? filesUnder(folder, `${path}/`) : [path];
  });
}

/** Our own workspaces, and the folders of a node_modules, or of a scope in one, that have a manifest. */
const MANIFEST =
  /^app\/(shared|workers\/[^/]+|.*\bnode_modules\/(@[^/]+\/)?[^/@]+)\/package\.json$/;

function packagesIn(folder: string, files: string[]): string[] {
  const manifests = files.filter((path) => MANIFEST.test(path));
  const names = manifests.map((path) => {
    const { name, version } = JSON.parse(readFileSync(join(folder, path), "utf8"));
    return `${name}@${version}`;
  });
  return [...new Set(names)].sort();
}
