/** The packages that a worker needs at run time, from the lock file alone: what its image has to hold. */
import { readFileSync } from "node:fs";
import { REPOSITORY } from "../repository.ts";

interface LockedPackage {
  name?: string;
  version?: string;
  resolved?: string;
  link?: boolean;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

type Lock = Record<string, LockedPackage>;

/** A dependency of a locked package is not in the lock file. */
export class NotLocked extends Error {
  override readonly name = "NotLocked";
  readonly code = "not_locked";
}

export const readLock = (): Lock =>
  JSON.parse(readFileSync(`${REPOSITORY}package-lock.json`, "utf8")).packages;

/** Where Node would find the package: in the nearest node_modules on the way up. */
function locate(lock: Lock, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.replace(/(^|\/)[^/]*$/, "")) {
    const path = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`;
    const found = lock[path];
    if (found) return found.link ? found.resolved : path;
    if (folder === "") return undefined;
  }
}

/** `name@version` of all packages that the folders of workspaces need at run time, they included. */
export function productionPackages(lock: Lock, workspaces: string[]): string[] {
  const seen = new Set<string>();
  const visit = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } =
      lock[path] ?? {};
    const optional = (name: string) =>
      optionalDependencies?.[name] !== undefined || peerDependenciesMeta?.[name]?.optional === true;
    for (const name of Object.keys({
      ...peerDependencies,
      ...dependencies,
      ...optionalDependencies,
    })) {
      const found = locate(lock, path, name);
      if (found !== undefined) {
        // npm installs no optional peer for its own sake.
        if (peerDependenciesMeta?.[name]?.optional && !dependencies?.[name]) continue;
        visit(found);
      } else if (!optional(name)) throw new NotLocked(`${path} needs ${name}, which is not locked`);
    }
  };
  for (const workspace of workspaces) visit(workspace);
  return [...seen].map((path) => nameAndVersion(path, lock[path] ?? {})).sort();
}

const nameAndVersion = (path: string, { name, version }: LockedPackage) =>
  `${name ?? path.replace(/^.*node_modules\//, "")}@${version}`;
