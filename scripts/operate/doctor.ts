/**
 * `make test-connections [ENV=dev] [JSON=1]`: whether every server is there and fit. Ends with 0 if all is well, with
 * or without warnings, 1 if a check failed, 2 if the environment or the options are wrong.
 */
import "../show/closed-pipe.ts";
import { parseArgs } from "node:util";
import { BadEnvironment } from "@tl-engine/shared/process/config";
import { wantsColor } from "../show/terminal/paint.ts";
import { printableLines } from "../show/terminal/printable.ts";
import { diagnose } from "./doctor/diagnose.ts";
import { readDoctorConfig } from "./doctor/environment.ts";
import { DeployError, expectEnvironment } from "./doctor/kubernetes.ts";
import { jsonOf, jsonOfMisconfigured, linesOf, statusOf } from "./doctor/report.ts";
import { readDotEnv } from "./dot-env.ts";

const EXIT_FAILURE = 1;
const EXIT_MISCONFIGURED = 2;

class BadOptions extends Error {
  override readonly name = "BadOptions";
}

function wantsJson(args: string[], { JSON: given = "" }: NodeJS.ProcessEnv): boolean {
  try {
    const { values } = parseArgs({ args, options: { json: { type: "boolean", default: false } } });
    return values.json || !["", "0"].includes(given);
  } catch (error) {
    throw new BadOptions(
      `${(error as Error).message}\nUsage: test-connections.sh [--json], with ENV=dev for its cluster`,
    );
  }
}

async function main(args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  let isJson = args.includes("--json");
  try {
    isJson = wantsJson(args, env);
    readDotEnv();
    const { ENV: environment = "" } = env;
    if (environment !== "") expectEnvironment(environment);
    const config = readDoctorConfig(env);
    const diagnosis = await diagnose(config, { environment: environment || undefined });
    if (isJson) console.log(jsonOf(diagnosis));
    else for (const line of linesOf(diagnosis, wantsColor(process.stdout))) console.log(line);
    return statusOf(diagnosis) === "ok" ? 0 : EXIT_FAILURE;
  } catch (error) {
    const isOurs = [BadEnvironment, BadOptions, DeployError].some((it) => error instanceof it);
    if (!isOurs) throw error;
    const { message } = error as Error;
    if (isJson) console.log(jsonOfMisconfigured(message));
    else console.error(printableLines(message));
    return EXIT_MISCONFIGURED;
  }
}

// A server that hangs holds its connection, and would hold the process.
if (import.meta.main) process.exit(await main(process.argv.slice(2), process.env));
