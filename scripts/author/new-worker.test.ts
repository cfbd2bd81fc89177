/** The scaffold: what it makes, what it refuses, and that npm, linter and compiler take it. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { repositoryFiles } from "../kubernetes/kustomize/files.ts";
import { lintManifests } from "../kubernetes/lint/lint.ts";
import type { Engine } from "../kubernetes/lint/world.ts";
import { engineDeployments } from "../kubernetes/read/environments.ts";
import { SCHEDULES_FILE } from "../repository.ts";
import { loadWorkers } from "../workers.ts";
import { listsEngine } from "./new-worker/list-engine.ts";
import { LISTINGS, PARTS } from "./new-worker/parts.ts";
import { copyRepository, type RepositoryCopy } from "./new-worker/repository-copy.ts";
import { refuseName } from "./new-worker.ts";
import { refuseRemoval } from "./remove-worker.ts";

let copy: RepositoryCopy;

beforeAll(() => {
  copy = copyRepository(["burials"]);
});
afterAll(() => copy?.remove());

const run = (file: string, args: string[], env: Record<string, string> = {}) =>
  spawnSync(file, args, {
    cwd: copy.folder,
    encoding: "utf8",
    env: { ...process.env, TEST_SERVICES: "none", ...env },
  });
const newWorker = (name: string) =>
  run(process.execPath, ["scripts/author/new-worker.ts"], { NAME: name });
const read = (path: string) => readFileSync(join(copy.folder, path), "utf8");

test("names are checked", () => {
  expect(refuseName("invoices", ["burials"])).toBeUndefined();
  for (const bad of ["", "Invoices", "1st", "a_b", "a.b", "../x", "x".repeat(41)])
    expect(refuseName(bad, [])).toContain("NAME must match");
  expect(refuseName("burials", ["burials"])).toContain("is there already");
  expect(refuseName("client", [])).toContain("reserved");
  expect(newWorker("burials")).toMatchObject({ status: 2, stdout: "" });
});

test("a new worker has all parts, is known to npm, and passes lint, types and its test", async () => {
  const name = "invoice-numbers";
  const written = newWorker(name);
  expect(written.stderr).toBe("");
  for (const { path } of PARTS) {
    expect(written.stdout).toContain(path(name));
    expect(existsSync(join(copy.folder, path(name)))).toBe(true);
  }
  expect(read(`workers/${name}/index.ts`)).toContain(`name: "${name}"`);

  for (const listing of LISTINGS) {
    expect(listsEngine(copy.folder, listing, name)).toBe(true);
    // All that was there stays as it was, comments too.
    const before = readFileSync(listing.file, "utf8");
    const kept = read(listing.file)
      .split("\n")
      .filter((line) => !line.includes(name));
    expect(before.split("\n").filter((line) => !kept.includes(line))).toEqual([]);
  }
  const engine = read(`manifests/base/engines/${name}/kustomization.yaml`);
  expect(engine.split("\n").length).toBeLessThan(30);
  const [deployment] = engineDeployments(copy.folder).filter((it) => it.name === name);
  expect(deployment?.value).toMatchObject({
    spec: {
      selector: { matchLabels: { "app.kubernetes.io/name": name } },
      template: {
        metadata: { labels: { "app.kubernetes.io/name": name } },
        spec: {
          containers: [
            {
              image: `ghcr.io/tiendaleon/tl-engine-${name}`,
              envFrom: [{}, { secretRef: { name } }],
            },
          ],
        },
      },
    },
  });
  const engines = (await loadWorkers()).map(({ definition }) => definition);
  const made = { ...engines[0], name } as Engine;
  const linted = await lintManifests(repositoryFiles(copy.folder), [...engines, made]);
  expect(linted.problems).toEqual([]);
  expect(read(`keda/${name}.yaml`)).toContain(`queueName: engine.${name}`);

  const { packages } = JSON.parse(read("package-lock.json"));
  expect(packages[`node_modules/@tl-engine/${name}`]).toEqual({
    resolved: `workers/${name}`,
    link: true,
  });
  expect(packages[`workers/${name}`].dependencies).toEqual(
    JSON.parse(read(`workers/${name}/package.json`)).dependencies,
  );
  expect(Object.keys(packages)).toEqual(
    Object.keys(packages).toSorted((a, b) => a.localeCompare(b, "en")),
  );
  expect(read("package-lock.json")).not.toContain("http://");
  expect(read("package-lock.json")).not.toMatch(/"resolved": "https:/);
  expect(realpathSync(join(copy.folder, `node_modules/@tl-engine/${name}`))).toBe(
    realpathSync(join(copy.folder, `workers/${name}`)),
  );

  const bin = (tool: string) => join(copy.folder, "node_modules/.bin", tool);
  const checked = run(bin("biome"), [
    "lint",
    "--error-on-warnings",
    "--vcs-enabled=false",
    `workers/${name}`,
  ]);
  expect(checked.stderr + checked.stdout).not.toMatch(/\berrors?\b/);
  expect(checked.status).toBe(0);
  expect(run(bin("tsc"), ["-p", ".", "--noEmit"]).stdout).not.toContain(`workers/${name}`);
  const tested = run(bin("vitest"), ["run", "--root", `workers/${name}`, "index.test.ts"]);
  expect(tested.stdout).toContain("2 passed");
  expect(newWorker(name).status).toBe(2);
});

test("its tests stay green, conformance too, when the README's engine is pasted in", () => {
  const name = "mentions";
  expect(newWorker(name).status).toBe(0);
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const engine = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)]
    .map(([, code = ""]) => code)
    .find((code) => code.includes("defineWorker({"));
  writeFileSync(join(copy.folder, `workers/${name}/index.ts`), engine ?? "");
  const bin = (tool: string) => join(copy.folder, "node_modules/.bin", tool);
  expect(run(bin("tsc"), ["-p", ".", "--noEmit"]).stdout).not.toContain(`workers/${name}`);
  const tested = run(bin("vitest"), ["run", "--root", `workers/${name}`, "--testTimeout=120000"]);
  expect(`${tested.stdout}${tested.stderr}`).toMatch(/Test Files +2 passed/);
});

test("what a worker schedules is in the scheduler's file until it is removed", () => {
  const own = copyRepository(["burials", "scheduler"]);
  try {
    const file = join(own.folder, SCHEDULES_FILE);
    const names = () =>
      JSON.parse(readFileSync(file, "utf8")).map(({ name }: { name: string }) => name);
    const runScript = (script: string, args: string[] = []) =>
      spawnSync(process.execPath, [`scripts/author/${script}.ts`, ...args], {
        cwd: own.folder,
        encoding: "utf8",
        env: { ...process.env, TEST_SERVICES: "none", NAME: "sweeper", FORCE: "1" },
      });
    expect(runScript("new-worker").status).toBe(0);
    expect(names()).not.toContain("sweeper.nightly");
    const definition = join(own.folder, "workers/sweeper/index.ts");
    const template = readFileSync(definition, "utf8");
    writeFileSync(definition, template.replace("// schedules:", "schedules:"));
    expect(runScript("contract", ["--check"])).toMatchObject({
      ...{ status: 1, stderr: expect.stringContaining(`${SCHEDULES_FILE} is stale`) },
    });
    expect(runScript("contract").status).toBe(0);
    expect(names()).toContain("sweeper.nightly");
    writeFileSync(definition, readFileSync(definition, "utf8").replace("0 2 * * *", "0 2 30 2 *"));
    expect(runScript("contract", ["--check"])).toMatchObject({
      ...{ status: 1, stderr: "sweeper.nightly: cron: never comes to pass\n" },
    });
    expect(runScript("remove-worker")).toMatchObject({ status: 0, stderr: "" });
    expect(names()).not.toContain("sweeper.nightly");
  } finally {
    own.remove();
  }
});

test("a worker that is removed leaves nothing behind", () => {
  const name = "short-lived";
  const files = [...LISTINGS.map(({ file }) => file), "package-lock.json"];
  // npm's list of what is installed is not in the repository.
  const before = files.map(read);
  expect(newWorker(name).status).toBe(0);
  expect(files.map(read)).not.toEqual(before);
  const removed = run(process.execPath, ["scripts/author/remove-worker.ts"], {
    NAME: name,
    FORCE: "1",
  });
  expect(removed.stderr).toBe("");
  expect(files.map(read)).toEqual(before);
  for (const { path } of PARTS) expect(existsSync(join(copy.folder, path(name)))).toBe(false);
  expect(existsSync(join(copy.folder, `manifests/base/engines/${name}`))).toBe(false);
  expect(existsSync(join(copy.folder, `node_modules/@tl-engine/${name}`))).toBe(false);
  const again = run(process.execPath, ["scripts/author/remove-worker.ts"], { NAME: name });
  expect(again).toMatchObject({ status: 2, stderr: expect.stringContaining("is no engine") });
  expect(refuseRemoval("scheduler", ["scheduler"])).toContain("needs it");
  const burials = run(process.execPath, ["scripts/author/remove-worker.ts"], { NAME: "burials" });
  expect(burials).toMatchObject({ status: 2, stderr: expect.stringContaining("needs it") });
});
