/** Why a release can't be made now: all reasons at once, each with what to do. */
import { gt, rcompare, valid } from "semver";
import type { RepositoryState } from "./repository.ts";

export interface Wanted {
  version: string;
  /** Of package.json. */
  current: string;
  /** Sections of the changelog. */
  released: readonly string[];
  /** What Unreleased brings; empty where it brings nothing. */
  section: string;
}

export function refusals(wanted: Wanted, { branch, changed, tags }: RepositoryState): string[] {
  const { version, current, released, section } = wanted;
  // semver also takes "v1.2.3" and "=1.2.3".
  if (valid(version) !== version)
    return [`VERSION=${version} is no version: three numbers, such as 0.2.0 or 1.0.0-rc.1.`];
  const reasons: string[] = [];
  if (branch !== "main")
    reasons.push(`This is ${branch || "no branch"}, and releases are of main: git switch main.`);
  if (changed.length > 0)
    reasons.push(
      `Files differ from the commit; commit or stash them:\n  ${changed.slice(0, 10).join("\n  ")}`,
    );
  if (tags.includes(`v${version}`))
    reasons.push(`The tag v${version} exists: choose a greater version.`);
  const before = [...tags.map((tag) => tag.slice(1)), ...released].filter((one) => valid(one));
  const [newest] = before.toSorted(rcompare);
  if (newest && newest !== version && !gt(version, newest))
    reasons.push(`${version} is not greater than ${newest}, which was released.`);
  else if (newest === version && !tags.includes(`v${version}`))
    reasons.push(`CHANGELOG.md has a section of ${version} already.`);
  if (gt(current, version))
    reasons.push(`${version} is not greater than ${current} of package.json.`);
  if (section === "")
    reasons.push("Unreleased in CHANGELOG.md is empty: write down there what the version brings.");
  return reasons;
}
