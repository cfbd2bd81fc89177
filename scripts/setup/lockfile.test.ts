/** What an install fetches and runs: the lock files' bytes from npm's registry, and no package's script. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const REPOSITORY = join(import.meta.dirname, "../..");
const REGISTRY = "https://registry.npmjs.org/";

interface Locked {
  version?: string;
  resolved?: string;
  integrity?: string;
  link?: boolean;
  hasInstallScript?: boolean;
}

const read = (path: string) => readFileSync(join(REPOSITORY, path), "utf8");
const lockedIn = (path: string) =>
  Object.entries((JSON.parse(read(path)) as { packages: Record<string, Locked> }).packages).filter(
    ([name, { link }]) => name.includes("node_modules/") && !link,
  );
const RELEASES = "scripts/setup/node-releases";
const NODES = readdirSync(join(REPOSITORY, RELEASES)).map(
  (system) => `${RELEASES}/${system}/package-lock.json`,
);
const LOCKFILES = ["package-lock.json", ...NODES];

/** Packages with a script that we never run, and why nothing is missed. */
const UNRUN: Record<string, string> = {
  "cpu-features": "tells ssh2 which ciphers are fast; ssh2 does without",
  "msgpackr-extract": "compiles what its own prebuilt packages hold; msgpackr does without",
  protobufjs: "warns of version ranges, and does nothing else",
  ssh2: "compiles faster ciphers, for Docker over SSH, which we don't use",
};

it.each(LOCKFILES)("%s names no server but npm's, and the hash of every package", (path) => {
  const locked = lockedIn(path);
  expect(locked.length).toBeGreaterThan(0);
  // Without `resolved`, npm asks the registry that the machine is set to.
  expect(locked.filter(([, { resolved = REGISTRY }]) => !resolved.startsWith(REGISTRY))).toEqual(
    [],
  );
  expect(locked.filter(([, { integrity }]) => !integrity?.startsWith("sha512-"))).toEqual([]);
});

it("packages with an install script are known, with why they need none", () => {
  const names = lockedIn("package-lock.json")
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.split("node_modules/").at(-1));
  expect(names.toSorted()).toEqual(Object.keys(UNRUN).toSorted());
});

it.each(["Dockerfile", "scripts/setup/dependencies.ts", "scripts/setup/node.sh"])(
  "%s installs without scripts",
  (path) => {
    const commands = read(path)
      .split("\n")
      .filter((line) => /^ *(npm ci|\["ci"|.*\$\(npm ci)/.test(line));
    expect(commands.length).toBeGreaterThan(0);
    for (const command of commands) expect(command).toContain("--ignore-scripts");
  },
);

it.each(NODES)("%s is of one exact release of the wanted major", (path) => {
  const major = read(".node-version").trim();
  const [[, { version } = {}] = [], ...others] = lockedIn(path);
  expect(others).toEqual([]);
  expect(version).toMatch(new RegExp(`^${major}\\.\\d+\\.\\d+$`));
});

it("git passes over dumps of a process's memory, which hold credentials", () => {
  const dumps = [
    "a.heapsnapshot",
    "shared/a.cpuprofile",
    "a.heapprofile",
    "core",
    "core.123",
    "isolate-0x1-1-v8.log",
    "a.dump",
    "report.20260101.1.0.001.json",
  ];
  const { stdout } = spawnSync("git", ["check-ignore", "--no-index", ...dumps], {
    cwd: REPOSITORY,
    encoding: "utf8",
  });
  expect(stdout.trim().split("\n")).toEqual(dumps);
});
