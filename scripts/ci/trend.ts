/**
 * `make trend`: what a night's bench and crash test said (out/nightly/), beside the nights before, as Markdown. PUSH=1
 * adds it to trend.ndjson on the branch trend. Fails when the crash test found anything or one of both did not end.
 */
import "../show/closed-pipe.ts";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { REPOSITORY } from "../repository.ts";
import { printableLines } from "../show/terminal/printable.ts";
import { GitFailed, pushTrend, readTrend } from "./trend/branch.ts";
import { compare, describeNight, figuresOf, type Night, parseNights } from "./trend/nights.ts";

const NIGHTLY = join(REPOSITORY, "out/nightly");
/** Figures of the crash test that say how much it did, not what it found. */
const AMOUNTS = ["faults", "kinds", "jobs"];

function read(name: string): string {
  try {
    return readFileSync(join(NIGHTLY, name), "utf8");
  } catch {
    return "";
  }
}

/** The machine that measured, which is not this one on CI. */
function measuredOn(): string {
  const text = read("bench.json");
  const { machine } = text === "" ? {} : JSON.parse(text);
  return machine
    ? `${machine.cpu} ×${machine.cpus}`
    : `${cpus()[0]?.model.trim()} ×${cpus().length}`;
}

function tonight(): Night {
  const git = ["-C", REPOSITORY, "rev-parse", "HEAD"];
  const bench = figuresOf("bench", read("bench.txt"));
  const crashTest = figuresOf("crash-test", read("crash-test.txt"));
  return {
    at: new Date().toISOString(),
    commit: execFileSync("git", git, { encoding: "utf8" }).trim(),
    cpu: measuredOn(),
    ...(bench && { bench }),
    ...(crashTest && { crashTest }),
  };
}

try {
  const night = tonight();
  const trend = readTrend(REPOSITORY);
  const comparisons = compare(night, parseNights(trend.text));
  if (process.env.PUSH === "1")
    pushTrend(REPOSITORY, trend, JSON.stringify(night), `The night of ${night.at.slice(0, 10)}`);
  console.log(describeNight(night, comparisons));
  // GitHub shows lines of this form beside the run.
  for (const { figure, now, before, worse } of comparisons)
    if (worse) console.error(`::warning::${figure} is ${now}, mostly it was ${before.toFixed(2)}`);
  const found = Object.entries(night.crashTest ?? {}).filter(
    ([name, count]) => !AMOUNTS.includes(name) && count > 0,
  );
  if (found.length > 0 || !night.bench || !night.crashTest) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof GitFailed)) throw error;
  console.error(printableLines(error.message));
  process.exitCode = 1;
}
