/** The set-up by itself: what is done once is not done again, and `make help` lists what there is. */
import { execFile } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";

const REPOSITORY = join(import.meta.dirname, "../..");
const run = promisify(execFile);

/** A repository that depends on nothing, so that its set-up needs no network. Its path has a space. */
function smallRepository(): string {
  const root = mkdtempSync(join(tmpdir(), "set up "));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const part of ["Makefile", ".node-version", "scripts/setup", "scripts/show/closed-pipe.ts"])
    cpSync(join(REPOSITORY, part), join(root, part), { recursive: true });
  // One workspace, since npm installs nothing at all for a package without dependencies.
  const part = { name: "part", version: "1.0.0" };
  const small = { name: "small", workspaces: ["part"] };
  const write = (path: string, content: object) =>
    writeFileSync(join(root, path), JSON.stringify(content));
  mkdirSync(join(root, "part"));
  write("part/package.json", part);
  write("package.json", { ...small, private: true });
  const packages = { "": small, "node_modules/part": { resolved: "part", link: true }, part };
  write("package-lock.json", { name: "small", lockfileVersion: 3, requires: true, packages });
  return root;
}

const make = async (root: string, ...args: string[]) => {
  const path = `${dirname(process.execPath)}:${process.env.PATH}`;
  const { stdout, stderr } = await run("make", args, {
    cwd: root,
    env: { ...process.env, PATH: path },
  });
  return stdout + stderr;
};

it("a second make does no work twice; a changed lockfile does", async () => {
  const root = smallRepository();
  const stamp = () => statSync(join(root, "node_modules/.installed")).mtimeMs;
  expect(await make(root, "setup")).toMatch(/npm ci/);
  const first = stamp();
  expect(await make(root, "setup")).toBe("");
  expect(stamp()).toBe(first);

  const lockfile = join(root, "package-lock.json");
  writeFileSync(lockfile, `${readFileSync(lockfile, "utf8")}\n`);
  await make(root, "setup");
  expect(stamp()).toBeGreaterThan(first);
});

it("what npm complains about is shown, and ends the make", async () => {
  const root = smallRepository();
  writeFileSync(join(root, "package-lock.json"), "{}");
  await expect(make(root, "setup")).rejects.toThrow(/npm ci failed/);
});

it("make without a target lists every target that is meant for people", async () => {
  const help = await make(REPOSITORY);
  for (const target of [
    "demo",
    "test",
    "check",
    "bench",
    "crash-test",
    "services-up",
    "new-worker",
  ])
    expect(help).toMatch(new RegExp(`^  ${target} +\\S`, "m"));
});

it("a variable that a target needs is asked for by name", async () => {
  const root = smallRepository();
  await make(root, "setup");
  await expect(make(root, "worker")).rejects.toThrow(/NAME=… is missing/);
});
