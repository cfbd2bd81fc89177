/**
 * `make release VERSION=0.2.0`: moves Unreleased in the changelog to the version, writes it into our packages, takes
 * the contract as what callers may rely on, commits and tags. Nothing leaves this machine: the last line is the push that does. DRY_RUN=1 shows what would change.
 */
import "../show/closed-pipe.ts";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "../repository.ts";
import { printableLines } from "../show/terminal/printable.ts";
import { moveUnreleased, releasedVersions } from "./changelog.ts";
import { refusals } from "./refusals.ts";
import { commitAndTag, GitFailed, git, stateOf } from "./repository.ts";
import { bumpLockfile, bumpManifest } from "./versions.ts";

const EXIT_REFUSED = 2;

const read = (path: string) => readFileSync(join(REPOSITORY, path), "utf8");

/** Every file of git's that names the version, as it will be. */
function changesFor(version: string, changelog: string): Map<string, string> {
  const manifests = git(REPOSITORY, "ls-files", "--", "package.json", "*/package.json").split("\n");
  const changes = new Map([
    ["CHANGELOG.md", changelog],
    ["package-lock.json", bumpLockfile(read("package-lock.json"), version)],
  ]);
  for (const path of manifests) {
    const text = bumpManifest(read(path), version);
    if (text !== undefined) changes.set(path, text);
  }
  for (const [path, text] of promises()) changes.set(path, text);
  return changes;
}

/** The engines' contracts, which callers may rely on from this release on: `make check` holds changes against them. */
function promises(): [path: string, text: string][] {
  const files = git(REPOSITORY, "ls-files", "--", ":(glob)docs/contract/*.json").split("\n");
  return files
    .filter((path) => path !== "" && !path.endsWith("/asyncapi.json"))
    .map((path) => [path.replace("docs/contract/", "docs/contract/baseline/"), read(path)]);
}

function main({ VERSION: version = "", DRY_RUN }: NodeJS.ProcessEnv): void {
  const { version: current } = JSON.parse(read("package.json")) as { version: string };
  const changelog = read("CHANGELOG.md");
  const moved = moveUnreleased(changelog, version, new Date().toISOString().slice(0, 10));
  const wanted = {
    version,
    current,
    released: releasedVersions(changelog),
    section: moved.section,
  };
  const reasons = refusals(wanted, stateOf(REPOSITORY));
  if (reasons.length > 0) {
    for (const reason of reasons) console.error(printableLines(reason));
    console.error("Nothing was changed.");
    process.exitCode = EXIT_REFUSED;
    return;
  }
  const changes = changesFor(version, moved.text);
  const files = [...changes.keys()];
  if (DRY_RUN === "1") {
    console.log(`Release ${version}, now ${current}. It would change:\n  ${files.join("\n  ")}`);
    console.log(`and say:\n\n${printableLines(moved.section)}\n\nNothing was changed.`);
    return;
  }
  for (const [path, text] of changes) writeFileSync(join(REPOSITORY, path), text);
  commitAndTag(REPOSITORY, files, version, moved.section);
  console.log(`Release ${version}: committed and tagged v${version}, ${files.length} files.`);
  console.log(`To take it back: git tag --delete v${version} && git reset --hard HEAD~1`);
  console.log(`Next: git push --atomic origin main v${version}`);
}

try {
  main(process.env);
} catch (error) {
  if (!(error instanceof GitFailed)) throw error;
  console.error(printableLines(error.message));
  process.exitCode = 1;
}
