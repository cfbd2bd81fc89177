/** The environments: the overlays of manifests/, and what each of them applies. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { compose } from "../kustomize/compose.ts";
import { repositoryFiles } from "../kustomize/files.ts";
import type { AppliedObject } from "../kustomize/placed.ts";
import { BadFiles } from "./bad-files.ts";

export const OVERLAYS = "manifests/overlays";
const ENGINES = "manifests/base/engines";

/** @param root of the repository; the working directory by default. */
export function environmentNames(root = "."): string[] {
  const folder = join(root, OVERLAYS);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "kustomization.yaml")))
    .sort();
}

/** Of the repository in the working directory. Throws BadFiles for what can't be put together. */
export function environmentObjects(environment: string): AppliedObject[] {
  const files = repositoryFiles(process.cwd());
  const { objects, problems } = compose(files, `${OVERLAYS}/${environment}`);
  if (problems.length > 0) throw new BadFiles(problems);
  return objects;
}

/**
 * The Deployments of all engines, before any environment changes them; none where there are no manifests.
 * @param root of the repository; the working directory by default. Throws BadFiles.
 */
export function engineDeployments(root = process.cwd()): AppliedObject[] {
  const files = repositoryFiles(root);
  if (files.read(`${ENGINES}/kustomization.yaml`) === undefined) return [];
  const { objects, problems } = compose(files, ENGINES);
  if (problems.length > 0) throw new BadFiles(problems);
  return objects.filter(({ kind }) => kind === "Deployment");
}
