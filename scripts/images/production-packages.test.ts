/** The packages of an image, against npm's own reading of the lock file. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SCHEDULER } from "../../shared/wire/names.ts";
import { REPOSITORY } from "../repository.ts";
import { workerFolders } from "../workers.ts";
import { NotLocked, productionPackages, readLock } from "./production-packages.ts";
import type { Sbom } from "./sbom.ts";

const withoutTests = ({ devDependencies: _, ...manifest }: Record<string, unknown>) => manifest;

/** What the build in the Dockerfile does, without installing anything. */
function npmsWord(worker: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), "npm-sbom-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const read = (path: string) => JSON.parse(readFileSync(REPOSITORY + path, "utf8"));
  const write = (path: string, value: object) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), JSON.stringify(value));
  };
  const [manifest, lock] = [read("package.json"), read("package-lock.json")];
  // npm would leave out what is a development dependency of the repository, too.
  delete manifest.devDependencies;
  delete lock.packages[""].devDependencies;
  // An image has no callers' library.
  delete lock.packages["shared/client"];
  delete lock.packages["node_modules/@tl-engine/client"];
  // Of an engine that keeps no files: the SDK is only an optional peer, which the build does not install.
  const shared = read("shared/package.json");
  for (const one of [shared, lock.packages.shared])
    for (const field of ["devDependencies", "peerDependencies", "peerDependenciesMeta"])
      delete one[field];
  // Nor what only the worker's tests need.
  delete lock.packages[`workers/${worker}`].devDependencies;
  const isGuarded = "@tl-engine/outbound" in read(`workers/${worker}/package.json`).dependencies;
  if (!isGuarded) {
    delete lock.packages["shared/outbound"];
    delete lock.packages["node_modules/@tl-engine/outbound"];
  }
  write("package.json", manifest);
  write("package-lock.json", lock);
  const folders = ["shared", ...(isGuarded ? ["shared/outbound"] : []), `workers/${worker}`];
  for (const path of folders.map((folder) => `${folder}/package.json`))
    write(path, path === "shared/package.json" ? shared : withoutTests(read(path)));
  const args = ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only"];
  const { components } = JSON.parse(
    execFileSync("npm", [...args, "--workspace", `workers/${worker}`], {
      cwd: folder,
      encoding: "utf8",
    }),
  ) as Sbom;
  return components.map((it) => it["bom-ref"]).sort();
}

test("undici is only in the image of an engine that depends on the guard", async () => {
  const lock = readLock();
  const undici = (worker: string) =>
    productionPackages(lock, [`workers/${worker}`]).filter((name) => /^(undici|ipaddr)/.test(name));
  for (const worker of await workerFolders()) {
    const { dependencies = {} } = lock[`workers/${worker}`] ?? {};
    if (!("@tl-engine/outbound" in dependencies)) expect(undici(worker)).toEqual([]);
  }
  lock["workers/asks"] = { name: "asks", dependencies: { "@tl-engine/outbound": "0.1.0" } };
  expect(undici("asks")).toHaveLength(2);
});

test.each(await workerFolders())("of %s are those that npm lists", (worker) => {
  const packages = productionPackages(readLock(), [`workers/${worker}`]);
  expect(packages).toEqual(npmsWord(worker));
  expect(packages).toContain(`@tl-engine/${worker}@0.1.0`);
  expect(
    packages.filter((name) => /^(vitest|typescript|testcontainers|@types|@aws-sdk)/.test(name)),
  ).toEqual([]);
  // The clock's, and nobody else's.
  const clock = packages.filter((name) => /^(bullmq|croner)@/.test(name));
  expect(clock).toHaveLength(worker === SCHEDULER ? 2 : 0);
});

const LOCK = {
  "": {},
  w: { name: "w", version: "1.0.0", dependencies: { a: "*" }, devDependencies: { d: "*" } },
  "node_modules/w": { link: true, resolved: "w" },
  "node_modules/a": {
    version: "1.0.0",
    dependencies: { b: "^2" },
    optionalDependencies: { gone: "*" },
  },
  "node_modules/a/node_modules/b": {
    version: "2.0.0",
    peerDependencies: { p: "*", q: "*" },
    peerDependenciesMeta: { q: { optional: true } },
  },
  "node_modules/b": { version: "1.0.0" },
  "node_modules/d": { version: "1.0.0" },
  "node_modules/p": { version: "1.0.0" },
  "node_modules/q": { version: "1.0.0" },
};

test("nearest version, peers, no optional peers, no development dependencies", () => {
  expect(productionPackages(LOCK, ["w"])).toEqual(["a@1.0.0", "b@2.0.0", "p@1.0.0", "w@1.0.0"]);
});

test("a lock file with a hole is told", () => {
  const { "node_modules/p": _, ...hole } = LOCK;
  expect(() => productionPackages(hole, ["w"])).toThrow(NotLocked);
});
