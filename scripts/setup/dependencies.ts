/** Runs `npm ci`, unless what is installed is what the lockfile says: an `npm install` also leaves that. */
import "../show/closed-pipe.ts";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

interface LockedPackage {
  version?: string;
  integrity?: string;
  optional?: boolean;
  link?: boolean;
}

function packagesOf(lockfile: string): Record<string, LockedPackage> | undefined {
  try {
    return JSON.parse(readFileSync(`${REPOSITORY}${lockfile}`, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/** npm writes down in node_modules/.package-lock.json what it installed. */
function upToDate(): boolean {
  const locked = packagesOf("package-lock.json");
  const installed = packagesOf("node_modules/.package-lock.json");
  if (!locked || !installed) return false;
  return Object.entries(locked).every(([path, wanted]) => {
    // The repository's own packages, and those for other systems, are not there.
    if (!path.startsWith("node_modules/")) return true;
    const there = installed[path];
    if (!there) return wanted.optional === true;
    return there.version === wanted.version && there.integrity === wanted.integrity;
  });
}

if (!upToDate()) {
  process.stderr.write("Installing the dependencies (npm ci) …\n");
  const { status, stdout, stderr } = spawnSync(
    "npm",
    // No package's own script runs: what we use needs none (lockfile.test.ts).
    ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
    { cwd: REPOSITORY, encoding: "utf8" },
  );
  if (status !== 0) {
    process.stderr.write(`${stdout ?? ""}${stderr ?? ""}npm ci failed.\n`);
    process.exitCode = 1;
  }
}
