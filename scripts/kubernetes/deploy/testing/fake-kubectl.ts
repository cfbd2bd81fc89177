/** A program called `kubectl` that writes down what it is asked and answers from a list: there is no cluster in tests. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { REPOSITORY } from "../../../repository.ts";

export interface Answer {
  /** Regular expression over the arguments, joined by spaces; the first answer that fits is given. */
  to: string;
  stdout?: string;
  stderr?: string;
  /** Default 0. */
  status?: number;
}

export interface Asked {
  args: string;
  input: string;
}

export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
  /** Everything that kubectl was asked, in order. */
  asked: Asked[];
}

/** CommonJS, since it runs outside of any package. */
const PROGRAM = `#!${process.execPath}
const { appendFileSync, readFileSync } = require("node:fs");
const args = process.argv.slice(2).join(" ");
const input = args.endsWith("-f -") ? readFileSync(0, "utf8") : "";
appendFileSync(__dirname + "/asked.ndjson", JSON.stringify({ args, input }) + "\\n");
const answers = JSON.parse(readFileSync(__dirname + "/answers.json", "utf8"));
const { stdout = "", stderr = "", status = 0 } =
  answers.find(({ to }) => new RegExp(to).test(args)) ?? {};
process.stdout.write(stdout);
process.stderr.write(stderr);
process.exitCode = status;
`;

/** Runs a script of ours with the fake first on PATH. */
export function runWithKubectl(
  [script, ...args]: [string, ...string[]],
  answers: Answer[],
  env: Record<string, string> = {},
): Ran {
  const folder = mkdtempSync(join(tmpdir(), "tl-kubectl-"));
  try {
    writeFileSync(`${folder}/kubectl`, PROGRAM);
    chmodSync(`${folder}/kubectl`, 0o755);
    writeFileSync(`${folder}/answers.json`, JSON.stringify(answers));
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
      cwd: REPOSITORY,
      encoding: "utf8",
      env: { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}`, ...env },
    });
    const log = `${folder}/asked.ndjson`;
    const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
    return { status, stdout, stderr, asked: lines.map((line) => JSON.parse(line) as Asked) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
