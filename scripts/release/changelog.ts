/** Moves what the changelog has under Unreleased to a version of its own. */

const UNRELEASED = "## [Unreleased]";
/** A list of what is not there yet: no change, so it stays. */
const NOT_YET = /^### Not yet$/m;

export interface MovedChangelog {
  text: string;
  /** What the version brings, without its heading; empty where there is nothing. */
  section: string;
}

/** @param day as 2026-11-28. Throws when there is no Unreleased section. */
export function moveUnreleased(changelog: string, version: string, day: string): MovedChangelog {
  const start = changelog.indexOf(`\n${UNRELEASED}\n`);
  if (start < 0) throw new Error(`CHANGELOG.md has no line "${UNRELEASED}".`);
  const from = start + UNRELEASED.length + 2;
  const next = changelog.indexOf("\n## ", from);
  const end = next < 0 ? changelog.length : next + 1;
  const body = changelog.slice(from, end);
  const notYet = NOT_YET.exec(body);
  const after = notYet ? body.slice(notYet.index).search(/\n###? (?!Not yet)/) : -1;
  const stays = notYet
    ? body.slice(notYet.index, after < 0 ? undefined : notYet.index + after + 1).trim()
    : "";
  const section = (notYet ? body.replace(stays, "") : body).replaceAll(/\n{3,}/g, "\n\n").trim();
  const parts = [UNRELEASED, stays, `## [${version}] - ${day}`, section].filter(Boolean);
  const text = `${changelog.slice(0, start + 1)}${parts.join("\n\n")}\n${end < changelog.length ? "\n" : ""}${changelog.slice(end)}`;
  // Headings alone bring nothing.
  return { text, section: /^\s*[-*] /m.test(section) ? section : "" };
}

/** Versions that the changelog has sections of. */
export const releasedVersions = (changelog: string) =>
  [...changelog.matchAll(/^## \[(\d+\.\d+\.\d+[^\]]*)\]/gm)].map((match) => match[1] ?? "");
