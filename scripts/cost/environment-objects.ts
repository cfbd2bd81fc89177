/** The Kubernetes objects of an environment: the files of its overlay, with its patches over them. */
import { existsSync } from "node:fs";
import { join, normalize } from "node:path";
import { type Problem, readObjects, type SourceObject } from "../kubernetes/documents.ts";
import { BadFiles } from "./bad-files.ts";

type Data = Record<string, unknown>;

/** Throws BadFiles: a file that is missing, or YAML that can't be read. */
export function environmentObjects(environment: string): SourceObject[] {
  const problems: Problem[] = [];
  const objects = objectsUnder(`manifests/overlays/${environment}`, problems);
  if (problems.length > 0) throw new BadFiles(problems);
  return objects;
}

/** Resources and strategic merge patches: what decides on replicas, requests and quotas. */
function objectsUnder(folder: string, problems: Problem[]): SourceObject[] {
  const file = join(folder, "kustomization.yaml");
  const [kustomization] = read(file, 1, problems);
  if (!kustomization) return [];
  const { resources = [], patches = [] } = kustomization.value as {
    resources?: string[];
    patches?: { path?: string }[];
  };
  const objects = resources.flatMap((resource, index) => {
    const path = normalize(join(folder, resource));
    if (existsSync(join(path, "kustomization.yaml"))) return objectsUnder(path, problems);
    return read(path, kustomization.lineOf(["resources", index]), problems, file);
  });
  const changes = patches.flatMap(({ path }, index) =>
    path === undefined
      ? []
      : read(
          normalize(join(folder, path)),
          kustomization.lineOf(["patches", index]),
          problems,
          file,
        ),
  );
  return changes.reduce(applyPatch, objects);
}

function read(file: string, line: number, problems: Problem[], namedIn = file): SourceObject[] {
  if (!existsSync(file)) {
    problems.push({
      file: namedIn,
      line,
      rule: "missing-file",
      message: `${file} is not there`,
      fix: "make it, or leave its line out",
    });
    return [];
  }
  const { objects, problems: found } = readObjects(file);
  problems.push(...found);
  return objects;
}

/** Lines stay those of the base: a patch changes few values. */
function applyPatch(objects: SourceObject[], patch: SourceObject): SourceObject[] {
  return objects.map((object) =>
    object.kind !== patch.kind || object.name !== patch.name
      ? object
      : { ...object, value: merge(object.value, patch.value) as Data },
  );
}

function merge(base: unknown, patch: unknown): unknown {
  if (isMap(base) && isMap(patch)) {
    const merged: Data = { ...base };
    for (const [key, value] of Object.entries(patch))
      if (value === null) delete merged[key];
      else merged[key] = merge(base[key], value);
    return merged;
  }
  if (isNamedList(base) && isNamedList(patch))
    return [
      ...base.map((it) => merge(it, patch.find(({ name }) => name === it.name) ?? {})),
      ...patch.filter(({ name }) => base.every((it) => it.name !== name)),
    ];
  return patch;
}

const isMap = (it: unknown): it is Data =>
  it !== null && typeof it === "object" && !Array.isArray(it);
const isNamedList = (it: unknown): it is { name: string }[] =>
  Array.isArray(it) && it.length > 0 && it.every((each) => isMap(each) && "name" in each);
