/**
 * `make rules-check FILE=rules.json`: what is wrong with rules and where, before they are put. FILE may be YAML, and -
 * is standard input. Exit status 1 where something is wrong, 2 where the file can't be read.
 */
import { readFileSync } from "node:fs";
import { checkRules } from "./check-rules.ts";

const USAGE = `usage: make rules-check FILE=rules.json
FILE is {"rules": […]} or a list of rules, as JSON or YAML; - is standard input.
Its JSON Schema is workers/automations/rules.schema.json.`;
const STANDARD_INPUT = 0;

function main(): number {
  const { FILE = "" } = process.env;
  if (FILE === "") {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  let text: string;
  try {
    text = readFileSync(FILE === "-" ? STANDARD_INPUT : FILE, "utf8");
  } catch (error) {
    process.stderr.write(`FILE=${FILE} can't be read: ${(error as Error).message}\n`);
    return 2;
  }
  const name = FILE === "-" ? "standard input" : FILE;
  const { rules, problems } = checkRules(text);
  const lines = problems.map(({ line, column, path, message }) =>
    printable(`${name}:${line}:${column}  ${path === "" ? "" : `${path}: `}${message}`),
  );
  lines.push(`rules-check: rules=${rules} problems=${problems.length}`);
  process.stdout.write(`${lines.join("\n")}\n`);
  return problems.length === 0 ? 0 : 1;
}

/** What a file says must not steer the terminal. */
const printable = (line: string) => line.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "�");

process.exitCode = main();
