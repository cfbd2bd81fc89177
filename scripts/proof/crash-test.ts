/**
 * The crash test: real worker processes under load, real faults on real services, an independent judge.
 * FAULTS (default 100), SEED (default random), JOBS (default 84 per fault), HOURS (repeats until then),
 * KINDS (only these kinds of faults, comma-separated).
 */

import "../show/closed-pipe.ts";
import { printableLines } from "../show/terminal/printable.ts";
import { isRefused, runCrashTest, summarize } from "./crash-test/run.ts";
import { openServices } from "./crash-test/services.ts";
import { evidenceFolder } from "./crash-test/stage.ts";

const say = (line: string) => process.stdout.write(`${printableLines(line)}\n`);
const MAX_SHOWN = 40;

function whole(name: string, fallback: number): number {
  const text = process.env[name] ?? "";
  if (text === "") return fallback;
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) {
    say(`${name} must be a whole number, not ${JSON.stringify(text)}`);
    process.exit(2);
  }
  return number;
}

const faults = whole("FAULTS", 100);
const jobs = whole("JOBS", Math.max(200, faults * 84));
const firstSeed = whole("SEED", Math.floor(Math.random() * 1_000_000));
const hours = Number(process.env.HOURS ?? 0);
const only = (process.env.KINDS ?? "").split(",").filter((kind) => kind !== "");

const services = await openServices(say);
const total = {
  faults: 0,
  kinds: 0,
  jobs: 0,
  findings: [] as Awaited<ReturnType<typeof runCrashTest>>["findings"],
};
try {
  const endAt = performance.now() + hours * 3_600_000;
  let seed = firstSeed;
  do {
    const outcome = await runCrashTest({ services, faults, jobs, seed, only, say });
    for (const { rule, category, jobId, message } of outcome.findings.slice(0, MAX_SHOWN))
      say(`FOUND ${category} (rule ${rule})${jobId ? ` ${jobId}` : ""}: ${message}`);
    if (outcome.findings.length > MAX_SHOWN)
      say(`… and ${outcome.findings.length - MAX_SHOWN} more`);
    if (outcome.findings.length > 0) {
      say(`to repeat this plan: make crash-test FAULTS=${faults} SEED=${seed}`);
      const folder = evidenceFolder(`seed-${seed}`);
      if (services.keepLogs(folder)) say(`what the servers said meanwhile is in ${folder}`);
    }
    total.faults += outcome.faults;
    total.kinds = Math.max(total.kinds, outcome.kinds);
    total.jobs += outcome.jobs;
    total.findings.push(...outcome.findings);
    seed++;
  } while (performance.now() < endAt);
} finally {
  await services.stop();
}
const EXIT_REFUSED = 3;
if (isRefused(total))
  say("REFUSED: this run proves nothing, since its faults or its load came to nothing");
say(summarize(total));
if (isRefused(total)) process.exit(EXIT_REFUSED);
process.exit(total.findings.length > 0 ? 1 : 0);
