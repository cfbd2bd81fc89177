/** Files that can't be used, told as a compiler would: each problem with its file and line. */
import type { Problem } from "./documents.ts";

export class BadFiles extends Error {
  readonly code = "BadFiles";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(describeProblem).join("\n"));
    this.problems = problems;
  }
}

export const describeProblem = ({ file, line, rule, message, fix }: Problem) =>
  `${file}:${line}: ${rule}: ${message}; ${fix}`;
