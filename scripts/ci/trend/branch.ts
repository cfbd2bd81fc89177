/** The file of all nights, on a branch of its own that shares no history with main: read, and written by one commit. */
import { execFileSync } from "node:child_process";

const BRANCH = "trend";
const FILE = "trend.ndjson";

/** What git did not do; the message says what it said. */
export class GitFailed extends Error {
  override readonly name = "GitFailed";
  readonly code = "git_failed";
}

function git(folder: string, args: string[], input = ""): string {
  try {
    const options = { cwd: folder, input, stdio: "pipe", maxBuffer: 2 ** 28 } as const;
    return execFileSync("git", args, { ...options, encoding: "utf8" }).trim();
  } catch (cause) {
    const { stderr } = cause as { stderr?: string };
    throw new GitFailed(`git ${args[0]} failed: ${stderr?.trim() || String(cause)}`, { cause });
  }
}

export interface Trend {
  /** The branch's last commit; undefined where there is no branch yet. */
  commit: string | undefined;
  text: string;
}

/** Throws GitFailed where the remote can't be asked: an empty trend would be written over the old one. */
export function readTrend(folder: string): Trend {
  const [commit] = git(folder, ["ls-remote", "origin", `refs/heads/${BRANCH}`]).split("\t");
  if (!commit) return { commit: undefined, text: "" };
  git(folder, ["fetch", "--quiet", "--depth=1", "origin", commit]);
  return { commit, text: `${git(folder, ["show", `${commit}:${FILE}`])}\n` };
}

/** Commits without a work tree, so that the checkout stays as it is, and pushes. */
export function pushTrend(folder: string, before: Trend, line: string, subject: string): void {
  const blob = git(folder, ["hash-object", "-w", "--stdin"], `${before.text}${line}\n`);
  const tree = git(folder, ["mktree"], `100644 blob ${blob}\t${FILE}\n`);
  const parent = before.commit ? ["-p", before.commit] : [];
  const who = [
    "-c",
    "user.name=github-actions[bot]",
    "-c",
    "user.email=bot@users.noreply.github.com",
  ];
  const commit = git(folder, [...who, "commit-tree", tree, ...parent, "-m", subject]);
  git(folder, ["push", "--quiet", "origin", `${commit}:refs/heads/${BRANCH}`]);
}
