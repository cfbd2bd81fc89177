/** Every engine has all of its parts, and one name in all of them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { listsEngine } from "../../author/new-worker/list-engine.ts";
import { LISTINGS, PARTS } from "../../author/new-worker/parts.ts";
import { refuseName } from "../../author/new-worker.ts";
import { REPOSITORY } from "../../repository.ts";
import { loadWorkers } from "../../workers.ts";

const readJson = (path: string) => JSON.parse(readFileSync(join(REPOSITORY, path), "utf8"));
const workers = await loadWorkers();
const { packages } = readJson("package-lock.json");

describe.each(workers.map((worker) => ({ ...worker, name: worker.definition.name })))(
  "$name",
  ({ name, folder, definition }) => {
    const isInternal = Object.keys(definition.actions).length === 0;

    test("is called like its folder and its package", () => {
      expect(folder).toBe(join(REPOSITORY, "workers", name));
      expect(readJson(`workers/${name}/package.json`).name).toBe(`@tl-engine/${name}`);
      expect(refuseName(name, [])).toBeUndefined();
    });

    test("has every part", () => {
      const needed = PARTS.filter(
        ({ neededBy }) =>
          neededBy === "every engine" || (neededBy === "engines with actions" && !isInternal),
      ).map(({ path }) => path(name));
      expect(needed.filter((path) => !existsSync(join(REPOSITORY, path)))).toEqual([]);
    });

    test("is in every list", () => {
      const missing = LISTINGS.filter((listing) => !listsEngine(REPOSITORY, listing, name));
      expect(missing.map(({ file }) => file)).toEqual([]);
    });

    test("has tests of its own beside the conformance suite", () => {
      const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
      const tests = files.filter((file) => file.endsWith(".test.ts"));
      expect(tests.filter((file) => file !== "conformance.test.ts")).not.toEqual([]);
    });

    test("is in the lockfile as its package.json has it", () => {
      const { version, license, dependencies, devDependencies } = readJson(
        `workers/${name}/package.json`,
      );
      expect(packages[`workers/${name}`]).toEqual({
        name: `@tl-engine/${name}`,
        version,
        license,
        dependencies,
        ...(devDependencies && { devDependencies }),
      });
      expect(packages[`node_modules/@tl-engine/${name}`]).toEqual({
        resolved: `workers/${name}`,
        link: true,
      });
    });
  },
);

test("the lockfile names no registry", () => {
  const resolved = Object.values(packages as Record<string, { resolved?: string }>)
    .map((entry) => entry.resolved)
    .filter((address) => address?.includes("://"));
  expect(resolved).toEqual([]);
});

test("every folder of workers/ is an engine", () => {
  const folders = readdirSync(join(REPOSITORY, "workers")).sort();
  expect(folders).toEqual(workers.map(({ definition }) => definition.name).sort());
});
