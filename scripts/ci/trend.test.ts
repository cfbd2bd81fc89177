/** The trend of the nights: its figures, and its branch in a repository with a remote of its own. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { REPOSITORY } from "../repository.ts";
import { compare, describeNight, figuresOf, type Night, parseNights } from "./trend/nights.ts";

const night = (bench: Record<string, number>, cpu = "x"): Night => ({
  at: "2026-01-01T02:30:00Z",
  commit: "c",
  cpu,
  bench,
});

test("figures come from the last line of that name; what is n/a is left out", () => {
  const output =
    "bench: raw_ratio=0.1\nbench: raw_ratio=0.61 celery_ratio=n/a rss=-2\nWritten: x\n";
  expect(figuresOf("bench", output)).toEqual({ raw_ratio: 0.61, rss: -2 });
  expect(figuresOf("crash-test", output)).toBeUndefined();
});

test("a line that is no night does not cost the others", () => {
  expect(parseNights(`{"commit":"a"}\n<<<<\nnull\n{"commit":"b"}\n`)).toEqual([
    { commit: "a" },
    { commit: "b" },
  ]);
});

describe("compare", () => {
  const before = [0.6, 0.62, 0.58, 0.6, 0.61].map((raw) => night({ raw_ratio: raw, rss: 100 }));
  const worse = (tonight: Night, nights = before) =>
    compare(tonight, nights).flatMap(({ figure, worse }) => (worse ? figure : []));

  test("less than the noise is not worse, more is, in each figure's own direction", () => {
    expect(worse(night({ raw_ratio: 0.5, rss: 115 }))).toEqual([]);
    expect(worse(night({ raw_ratio: 0.45, rss: 100 }))).toEqual(["raw_ratio"]);
    expect(worse(night({ raw_ratio: 0.9, rss: 130 }))).toEqual(["rss"]);
  });

  test("few nights, or those of another machine, say nothing", () => {
    expect(worse(night({ raw_ratio: 0.1 }), before.slice(1))).toEqual([]);
    expect(worse(night({ raw_ratio: 0.1 }, "y"))).toEqual([]);
  });

  test("is told as a table", () => {
    const tonight = { ...night({ raw_ratio: 0.3 }), crashTest: { faults: 200, lost: 0 } };
    const text = describeNight(tonight, compare(tonight, before));
    expect(text).toContain("Crash test: faults=200 lost=0");
    expect(text).toContain("| raw_ratio | 0.3 | 0.6 | worse |");
    expect(describeNight({ at: "", commit: "", cpu: "" }, [])).toMatch(
      /did not.*\n\nBench: did not/,
    );
  });
});

/** A clone with the script in it, and its remote. */
function prepare() {
  const folder = mkdtempSync(join(tmpdir(), "trend-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", join(folder, "clone"), ...args], {
      encoding: "utf8",
      stdio: "pipe",
    });
  execFileSync("git", ["init", "--quiet", "--bare", join(folder, "remote")]);
  execFileSync("git", ["init", "--quiet", join(folder, "clone")]);
  git("remote", "add", "origin", join(folder, "remote"));
  for (const part of ["ci", "show", "repository.ts"])
    cpSync(join(REPOSITORY, "scripts", part), join(folder, "clone/scripts", part), {
      recursive: true,
    });
  writeFileSync(join(folder, "clone/package.json"), `{"type":"module"}`);
  symlinkSync(join(REPOSITORY, "node_modules"), join(folder, "clone/node_modules"));
  git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "--allow-empty", "-qm", "x");
  mkdirSync(join(folder, "clone/out/nightly"), { recursive: true });
  const write = (name: string, text: string) =>
    writeFileSync(join(folder, "clone/out/nightly", name), text);
  const run = (PUSH = "1") =>
    spawnSync(process.execPath, [join(folder, "clone/scripts/ci/trend.ts")], {
      encoding: "utf8",
      env: { PATH: process.env.PATH, PUSH },
    });
  const nights = () => parseNights(git("show", "FETCH_HEAD:trend.ndjson"));
  return { folder, git, write, run, nights };
}

describe("make trend", () => {
  test("begins the branch, adds a line each night, and leaves the checkout alone", () => {
    const { git, write, run, nights } = prepare();
    write("bench.txt", "bench: raw_ratio=0.61\n");
    write("bench.json", `{"machine":{"cpu":"Fast","cpus":4}}`);
    write("crash-test.txt", "crash-test: faults=200 kinds=9 jobs=50 lost=0\n");
    const before = git("status", "--porcelain", "--branch");
    expect(run()).toMatchObject({ status: 0, stderr: "" });
    expect(run().status).toBe(0);
    git("fetch", "--quiet", "origin", "trend");
    const expected = { cpu: "Fast ×4", bench: { raw_ratio: 0.61 }, crashTest: { lost: 0 } };
    expect(nights()).toMatchObject([expected, expected]);
    expect(git("rev-list", "--count", "FETCH_HEAD").trim()).toBe("2");
    expect(git("ls-tree", "--name-only", "FETCH_HEAD").trim()).toBe("trend.ndjson");
    expect(git("status", "--porcelain", "--branch")).toBe(before);
  });

  test("without PUSH=1 writes nothing", () => {
    const { git, write, run } = prepare();
    write("bench.txt", "bench: raw_ratio=0.61\n");
    run("");
    expect(git("ls-remote", "origin")).toBe("");
  });

  test("fails, after it wrote the night down, when the crash test found something", () => {
    const { git, write, run, nights } = prepare();
    write("bench.txt", "bench: raw_ratio=0.61\n");
    write("crash-test.txt", "crash-test: faults=200 kinds=9 jobs=50 lost=1\n");
    expect(run().status).toBe(1);
    git("fetch", "--quiet", "origin", "trend");
    expect(nights()).toMatchObject([{ crashTest: { lost: 1 } }]);
  });

  test("fails when a part did not come to its end", () => {
    const { write, run } = prepare();
    write("crash-test.txt", "crash-test: faults=200 kinds=9 jobs=50 lost=0\n");
    expect(run().status).toBe(1);
  });

  test("writes nothing over a trend that it can't read", () => {
    const { folder, write, run } = prepare();
    write("bench.txt", "bench: raw_ratio=0.61\n");
    rmSync(join(folder, "remote"), { recursive: true });
    expect(run()).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^git ls-remote failed/),
    });
  });
});
