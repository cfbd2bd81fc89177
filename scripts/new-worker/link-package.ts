/**
 * Makes a new workspace known to npm, as `npm install` would, without a network: its link in
 * node_modules, and its entries in the lockfile and in npm's list of what is installed.
 */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

interface Lockfile {
  packages: Record<string, unknown>;
}

/** @param folder of the workspace, relative to the repository. */
export function linkPackage(repository: string, folder: string): void {
  const { name, version, license, dependencies } = JSON.parse(
    readFileSync(join(repository, folder, "package.json"), "utf8"),
  );
  const entries = {
    [folder]: { name, version, license, dependencies },
    [`node_modules/${name}`]: { resolved: folder, link: true },
  };
  // The second one is what the next `make` compares the lockfile with.
  for (const file of ["package-lock.json", "node_modules/.package-lock.json"]) {
    const path = join(repository, file);
    if (existsSync(path)) addEntries(path, entries);
  }
  const link = join(repository, "node_modules", name);
  mkdirSync(dirname(link), { recursive: true });
  if (!existsSync(link)) symlinkSync(relative(dirname(link), join(repository, folder)), link);
}

function addEntries(path: string, entries: Record<string, unknown>): void {
  const lockfile = JSON.parse(readFileSync(path, "utf8")) as Lockfile;
  // npm's order.
  const sorted = Object.entries({ ...lockfile.packages, ...entries }).sort(([a], [b]) =>
    a.localeCompare(b, "en"),
  );
  const text = JSON.stringify({ ...lockfile, packages: Object.fromEntries(sorted) }, null, 2);
  writeFileSync(path, `${text}\n`);
}
