/** A copy of the repository's code with the installed dependencies, for tests that change it. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REPOSITORY } from "../../repository.ts";

const COPIED = ["shared", "scripts", "docs/contract", "keda", "manifests"];
const SINGLE_FILES = [
  "package.json",
  "package-lock.json",
  "biome.json",
  "tsconfig.json",
  ".gitignore",
];
const LEFT_OUT = /\/(?:node_modules|dist)$/;

export interface RepositoryCopy {
  folder: string;
  remove(): void;
}

/** @param workers those that are copied. */
export function copyRepository(workers: string[]): RepositoryCopy {
  const folder = mkdtempSync(join(tmpdir(), "tl-engine-copy-"));
  const paths = [...COPIED, ...SINGLE_FILES, ...workers.map((name) => `workers/${name}`)];
  for (const path of paths)
    cpSync(join(REPOSITORY, path), join(folder, path), {
      recursive: true,
      filter: (source) => !LEFT_OUT.test(source),
    });
  linkDependencies(folder, workers);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Links to what is installed, except for the workspaces, which are the copy's own. */
function linkDependencies(folder: string, workers: string[]): void {
  const installed = join(REPOSITORY, "node_modules");
  const copied = join(folder, "node_modules");
  mkdirSync(join(copied, "@tl-engine"), { recursive: true });
  for (const name of readdirSync(installed))
    if (!/^(?:@tl-engine|\.package-lock\.json|\.cache|\.vite.*)$/.test(name))
      symlinkSync(join(installed, name), join(copied, name));
  cpSync(join(installed, ".package-lock.json"), join(copied, ".package-lock.json"));
  const ours = ["shared", "shared/client", "shared/outbound"];
  const workspaces = [...ours, ...workers.map((name) => `workers/${name}`)];
  for (const workspace of workspaces)
    symlinkSync(
      join(folder, workspace),
      join(copied, "@tl-engine", workspace.split("/").at(-1) ?? workspace),
    );
}
