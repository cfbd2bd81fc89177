/** Scans the files that git has or is about to have for secrets. Part of `make check`. */
import "../show/closed-pipe.ts";
import { execFileSync } from "node:child_process";
import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "../repository.ts";
import { printable } from "../show/terminal/printable.ts";
import { findSecrets } from "./secrets.ts";

const FIX =
  "Take it out and, if it was ever pushed, change it where it is valid; what is no secret goes to scripts/ci/allowed-secrets.ts, with why.";

/** Undefined outside of a git repository. New files count, since a commit may be next; ignored ones do not. */
function listFiles(): string[] | undefined {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  try {
    const text = execFileSync("git", args, { cwd: REPOSITORY, encoding: "utf8", stdio: "pipe" });
    return [...new Set(text.split("\0"))].filter(Boolean);
  } catch {
    return undefined;
  }
}

function* texts(files: string[]): Generator<{ file: string; text: string }> {
  for (const file of files) {
    const path = join(REPOSITORY, file);
    // One that is deleted and not yet committed so.
    if (!lstatSync(path, { throwIfNoEntry: false })?.isFile()) continue;
    const bytes = readFileSync(path);
    if (!bytes.includes(0)) yield { file, text: bytes.toString("utf8") };
  }
}

const files = listFiles();
if (!files) {
  console.log("scan-secrets: this is no git repository, so nothing was scanned.");
} else {
  const { found, unused } = await findSecrets(texts(files));
  for (const { file, line, rule } of found)
    console.log(`${printable(file)}:${line}: secret: looks like one (${rule})`);
  for (const { text } of unused)
    console.log(`scripts/ci/allowed-secrets.ts: ${text} fits nothing any more; take it out`);
  if (found.length > 0) console.log(FIX);
  console.log(`scan-secrets: files=${files.length} found=${found.length}`);
  process.exitCode = found.length + unused.length > 0 ? 1 : 0;
}
