/**
 * Asks the npm registry for known vulnerabilities of what the lock file names: high and critical ones fail `make check`,
 * lower ones are told. Where the registry can't be asked, it says so and lets the check go on.
 */
import "../show/closed-pipe.ts";
import { spawnSync } from "node:child_process";
import { REPOSITORY } from "../repository.ts";
import { printable } from "../show/terminal/printable.ts";
import { type AcceptedAdvisory, judge, type Report } from "./advisories.ts";

/** Advisories that do not reach us, with why and until when; past that day they count again. */
const ACCEPTED: readonly AcceptedAdvisory[] = [];

function ask(): Report | { reason: string } {
  // An answer takes a second; who is offline should not wait for a minute.
  const patience = ["--fetch-retries=0", "--fetch-timeout=15000"];
  const { error, stdout, stderr } = spawnSync("npm", ["audit", "--json", ...patience], {
    cwd: REPOSITORY,
    encoding: "utf8",
    timeout: 60_000,
  });
  if (error) return { reason: error.message };
  try {
    const answer = JSON.parse(stdout);
    if (answer.vulnerabilities) return answer as Report;
    return { reason: answer.message ?? answer.error?.summary ?? "no answer" };
  } catch {
    return { reason: stderr.trim().split("\n")[0] ?? "no answer" };
  }
}

const report = ask();
if ("reason" in report) {
  console.log(
    `audit: the registry can't be asked for advisories (${printable(report.reason)}): nothing is known of them.`,
  );
} else {
  const { bad, told } = judge(report, ACCEPTED, new Date());
  for (const line of [...bad, ...told]) console.log(printable(line));
  console.log(`audit: bad=${bad.length} told=${told.length}`);
  if (bad.length > 0) {
    console.log("Raise the package (npm audit fix), or accept it in scripts/ci/audit.ts with why.");
    process.exitCode = 1;
  }
}
