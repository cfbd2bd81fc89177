/** The objects of an environment as kustomize makes them, and back to YAML for kubectl. */
import { stringify } from "yaml";
import { readObjects, type SourceObject } from "../read/documents.ts";
import { DeployError, kubectl } from "./kubectl.ts";
import type { Environment } from "./target.ts";

/** @throws {DeployError} */
export function render({ overlay }: Environment): { yaml: string; objects: SourceObject[] } {
  const { stdout: yaml } = kubectl(["kustomize", overlay]);
  const { objects, problems } = readObjects("kubectl kustomize", yaml);
  const [problem] = problems;
  if (problem)
    throw new DeployError(
      "kubectl_failed",
      `kubectl kustomize, line ${problem.line}: ${problem.message}`,
    );
  return { yaml, objects };
}

/** YAML 1.1, as kubectl reads it: a text such as `on` or `0o17` keeps its quotes. */
export const toYaml = (objects: SourceObject[]) =>
  objects.map(({ value }) => stringify(value, { version: "1.1" })).join("---\n");

export const describeObject = ({ kind, name }: SourceObject) => `${kind}/${name}`;
