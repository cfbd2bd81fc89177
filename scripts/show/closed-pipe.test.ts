/** Every script that make runs goes on quietly when nobody reads what it prints. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string) => readFileSync(`${ROOT}${path}`, "utf8");

test("each of them asks for it before anything else", () => {
  const scripts = new Set(read("Makefile").match(/\bscripts\/[\w/-]+\.ts/g));
  expect(scripts.size).toBeGreaterThan(20);
  const without = [...scripts].filter(
    (path) => /^import .*$/m.exec(read(path))?.[0] !== 'import "../show/closed-pipe.ts";',
  );
  expect(without).toEqual([]);
});

test.each(["kubernetes/render.ts", "kubernetes/lint-manifests.ts", "cost/cost.ts"])(
  "%s | true",
  async (script) => {
    const command = `"${process.execPath}" scripts/${script} | true`;
    const { stderr } = await promisify(execFile)("bash", ["-o", "pipefail", "-c", command], {
      cwd: ROOT,
    });
    expect(stderr).not.toContain("EPIPE");
  },
);
