/**
 * Makes a new workspace known to npm, as `npm install` would, without a network: its link in
 * node_modules, and its entries in the lockfile and in npm's list of what is installed. And undoes it.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** The second one is what the next `make` compares the lockfile with. */
const LOCKFILES = ["package-lock.json", "node_modules/.package-lock.json"];

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
  changeLockfiles(repository, (packages) => ({ ...packages, ...entries }));
  const link = join(repository, "node_modules", name);
  mkdirSync(dirname(link), { recursive: true });
  if (!existsSync(link)) symlinkSync(relative(dirname(link), join(repository, folder)), link);
}

/** What {@link linkPackage} did, undone. */
export function unlinkPackage(repository: string, folder: string, name: string): void {
  changeLockfiles(repository, (packages) => {
    const { [folder]: _package, [`node_modules/${name}`]: _link, ...others } = packages;
    return others;
  });
  rmSync(join(repository, "node_modules", name), { force: true });
}

type Packages = Lockfile["packages"];

function changeLockfiles(repository: string, change: (packages: Packages) => Packages): void {
  for (const file of LOCKFILES) {
    const path = join(repository, file);
    if (!existsSync(path)) continue;
    const lockfile = JSON.parse(readFileSync(path, "utf8")) as Lockfile;
    // npm's order.
    const sorted = Object.entries(change(lockfile.packages)).sort(([a], [b]) =>
      a.localeCompare(b, "en"),
    );
    const text = JSON.stringify({ ...lockfile, packages: Object.fromEntries(sorted) }, null, 2);
    writeFileSync(path, `${text}\n`);
  }
}
