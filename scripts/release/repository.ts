/** What git says of the repository that is to be released, and what a release does in it. */
import { execFileSync } from "node:child_process";

export class GitFailed extends Error {
  override readonly name = "GitFailed";
  readonly code = "git_failed";
}

export function git(folder: string, ...args: string[]): string {
  try {
    return execFileSync("git", args, { cwd: folder, encoding: "utf8", stdio: "pipe" }).trimEnd();
  } catch (cause) {
    const { stderr } = cause as { stderr?: string };
    throw new GitFailed(`git ${args[0]} failed: ${stderr?.trim() || String(cause)}`, { cause });
  }
}

export interface RepositoryState {
  branch: string;
  /** Files that differ from the commit, as `git status --porcelain` writes them. */
  changed: string[];
  tags: string[];
}

export function stateOf(folder: string): RepositoryState {
  const lines = (text: string) => text.split("\n").filter(Boolean);
  return {
    // Empty on a commit without a branch.
    branch: git(folder, "branch", "--show-current"),
    changed: lines(git(folder, "status", "--porcelain")),
    tags: lines(git(folder, "tag", "--list", "v*")),
  };
}

/** Commits and tags what was written. When git refuses, all is as before, which was a clean tree. */
export function commitAndTag(folder: string, files: string[], version: string, notes: string) {
  const before = git(folder, "rev-parse", "HEAD");
  try {
    git(folder, "add", "--", ...files);
    git(folder, "commit", "--quiet", "--message", `Release ${version}`, "--message", notes);
    // Headings begin with what git takes for a comment.
    git(
      folder,
      "tag",
      "--annotate",
      "--cleanup=verbatim",
      `v${version}`,
      "--message",
      `${version}\n\n${notes}\n`,
    );
  } catch (error) {
    git(folder, "reset", "--quiet", "--hard", before);
    throw error;
  }
}
