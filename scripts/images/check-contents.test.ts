/** Each thing that must not be in an image, or must, is seen. */
import { expect, test } from "vitest";
import { type Contents, contentProblems } from "./check-contents.ts";

const EXPECTED = {
  sources: ["package.json", "package-lock.json", "shared/main.ts"],
  packages: ["a@1.0.0", "@s/b@2.0.0"],
  bundles: ["shared/main.js", "workers/one/index.js"],
};
const GOOD: Contents = {
  files: [
    "app/package.json",
    "app/shared/main.ts",
    "app/shared/main.js",
    "app/shared/main.js.map",
    "app/shared/rolldown-runtime.js",
    "app/workers/one/index.js",
    "app/workers/one/index.js.map",
    "app/sbom.json",
    "app/engine",
    "app/compile-cache/v24/00c2e5a6",
    "app/node_modules/a/index.js",
    "usr/local/bin/node",
    "lib/x86_64-linux-gnu/libc.so.6",
    "lib64/ld-linux-x86-64.so.2",
    "etc/passwd",
    ".dockerenv",
  ],
  sbom: ["a@1.0.0", "@s/b@2.0.0", "pkg:generic/node@24.21.0", "pkg:deb/debian/libc6@2?arch=amd64"],
  installed: ["a@1.0.0", "@s/b@2.0.0"],
};
const without = (list: string[], entry: string) => list.filter((it) => it !== entry);

test("an image as it should be", () => {
  expect(contentProblems(GOOD, EXPECTED)).toEqual([]);
});

test("no bundle where none is made", () => {
  expect(contentProblems(GOOD, { ...EXPECTED, bundles: [] })).toEqual(
    GOOD.files
      .filter((path) => /^app\/(shared|workers)\/.*\.js(\.map)?$/.test(path))
      .map((path) => `a file that does not belong here: ${path}`),
  );
});

test.each<[string, Partial<Contents>]>([
  ["missing file: app/shared/main.ts", { files: without(GOOD.files, "app/shared/main.ts") }],
  ["missing file: app/shared/main.js", { files: without(GOOD.files, "app/shared/main.js") }],
  [
    "a file that does not belong here: app/workers/one/other.js",
    { files: [...GOOD.files, "app/workers/one/other.js"] },
  ],
  ["a file that does not belong here: bin/sh", { files: [...GOOD.files, "bin/sh"] }],
  ["a file that does not belong here: app/.env", { files: [...GOOD.files, "app/.env"] }],
  [
    "a file that does not belong here: app/workers/x/index.ts",
    { files: [...GOOD.files, "app/workers/x/index.ts"] },
  ],
  [
    "a file that does not belong here: app/package-lock.json",
    { files: [...GOOD.files, "app/package-lock.json"] },
  ],
  ["missing package: @s/b@2.0.0", { installed: ["a@1.0.0"] }],
  [
    "a package that is not needed at run time: vitest@5.0.0",
    { installed: [...GOOD.installed, "vitest@5.0.0"] },
  ],
  ["missing from the SBOM: a@1.0.0", { sbom: without(GOOD.sbom, "a@1.0.0") }],
  ["in the SBOM, but not needed at run time: c@1.0.0", { sbom: [...GOOD.sbom, "c@1.0.0"] }],
  ["no Node in the SBOM", { sbom: without(GOOD.sbom, "pkg:generic/node@24.21.0") }],
  ["no compile cache", { files: without(GOOD.files, "app/compile-cache/v24/00c2e5a6") }],
])("%s", (problem, change) => {
  expect(contentProblems({ ...GOOD, ...change }, EXPECTED)).toEqual([problem]);
});
