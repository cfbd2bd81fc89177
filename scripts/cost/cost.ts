/**
 * `make cost`: what an environment costs in a month, as expected and at worst, beside its budget.
 * `cost.ts [--check] [folder]`: with `--check` all environments, for CI. ENV, JOBS_PER_DAY and JSON come
 * from the environment. Exit status 1 over the budget, 2 on bad input.
 */
import "../show/closed-pipe.ts";
import { fileURLToPath } from "node:url";
import { BadFiles, describeProblem } from "../kubernetes/read/bad-files.ts";
import { environmentNames } from "../kubernetes/read/environments.ts";
import { readPrices } from "../kubernetes/read/prices.ts";
import { BadInput, positive } from "../scaling/simulate/bad-input.ts";
import { type Bill, billOf } from "./bill.ts";
import { readBudget } from "./budget.ts";
import { readEnvironmentFiles } from "./environment.ts";
import { describeBill, lastLine } from "./report.ts";

const DEFAULT_JOBS_PER_DAY = 1_000_000;

const flags = process.argv.slice(2).filter((it) => it.startsWith("--"));
const [folder = fileURLToPath(new URL("../..", import.meta.url))] = process.argv
  .slice(2)
  .filter((it) => !it.startsWith("--"));

async function main(isCheck: boolean): Promise<void> {
  const { ENV = "", JOBS_PER_DAY = "", JSON: asJson = "" } = process.env;
  const names = environmentNames();
  const name = ENV || "dev";
  if (!isCheck && !names.includes(name))
    throw new BadInput(`ENV=${name} is no environment; there are ${names.join(", ")}`);
  const jobsPerDay =
    positive({ JOBS_PER_DAY }, "JOBS_PER_DAY", { whole: true }) ?? DEFAULT_JOBS_PER_DAY;
  const { prices, warnings, toConfirm } = readPrices(Date.now());
  for (const warning of warnings) console.error(`warning: ${describeProblem(warning)}`);
  for (const environment of isCheck ? names : [name]) {
    const bill = billOf(
      await readEnvironmentFiles(environment),
      readBudget(environment, prices),
      prices,
      { jobsPerDay },
    );
    if (!isCheck && asJson !== "" && asJson !== "0") printJson(bill, toConfirm);
    else print(bill, toConfirm, isCheck);
    if (bill.excesses.length > 0) process.exitCode = 1;
  }
}

/** A check that passes is one line for each environment. */
function print(bill: Bill, toConfirm: number, isCheck: boolean): void {
  if (!isCheck) for (const line of describeBill(bill, toConfirm)) console.log(line);
  else for (const excess of bill.excesses) console.log(`over budget: ${excess}`);
  if (!isCheck) console.log();
  console.log(lastLine(bill));
}

/** Another program reads standard output; people read the rest. */
function printJson(bill: Bill, toConfirm: number): void {
  console.log(JSON.stringify(bill, null, 2));
  for (const line of describeBill(bill, toConfirm)) console.error(line);
  console.error(lastLine(bill));
}

process.chdir(folder);
try {
  await main(flags.includes("--check"));
} catch (error) {
  if (!(error instanceof BadFiles || error instanceof BadInput)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
