/** `make simulate`: what the ScaledObjects would do under a load, in virtual time. */
import "../show/closed-pipe.ts";
import { mkdirSync, writeFileSync } from "node:fs";
import { BadFiles } from "../kubernetes/read/bad-files.ts";
import { readPrices } from "../kubernetes/read/prices.ts";
import { REPOSITORY } from "../repository.ts";
import { BadInput } from "./simulate/bad-input.ts";
import { UnknownReading } from "./simulate/broker-figures.ts";
import { describeSuggestion } from "./simulate/describe-suggestion.ts";
import { readEngines } from "./simulate/engines.ts";
import { writeFigures } from "./simulate/figures.ts";
import { type Options, readOptions } from "./simulate/options.ts";
import { drawPicture } from "./simulate/picture.ts";
import { describe, lastLine } from "./simulate/report.ts";
import { simulate } from "./simulate/simulate.ts";
import { suggest } from "./simulate/suggest.ts";

const FOLDER = `${REPOSITORY}out/simulate`;

function run(options: Options): void {
  const { engines, load, seed, cluster, prices } = options;
  const startedAt = performance.now();
  const result = simulate({ engines, load, seed, cluster, prices });
  const seconds = (performance.now() - startedAt) / 1_000;
  const suggestions = options.suggest
    ? engines
        .filter((_, index) => (result.engines[index]?.jobs ?? 0) > 0)
        .map((engine) => suggest(engine, { load, seed, cluster, prices }))
    : undefined;
  const json = `${JSON.stringify({ ...result, suggestions }, null, 2)}\n`;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}/simulate.json`, json);
  writeFileSync(`${FOLDER}/simulate.svg`, drawPicture(result, load));
  // With JSON=1 another program reads standard output.
  const say = options.json ? console.error : console.log;
  if (options.json) process.stdout.write(json);
  for (const line of describe(result)) say(line);
  for (const line of suggestions?.flatMap(describeSuggestion) ?? []) say(line);
  say("\nWritten: out/simulate/simulate.json, out/simulate/simulate.svg");
  say(lastLine(result, seconds));
}

process.chdir(REPOSITORY);
try {
  const engines = await readEngines();
  const { prices } = readPrices(Date.now());
  const { vcpuUsdPerHour: usdPerCpuHour, memoryUsdPerGibHour: usdPerGibHour } = prices.kubernetes;
  if (process.env.FIGURES) writeFigures(engines, prices, REPOSITORY);
  else run(readOptions(process.env, engines, { usdPerCpuHour, usdPerGibHour }));
} catch (error) {
  const known =
    error instanceof BadInput || error instanceof BadFiles || error instanceof UnknownReading;
  if (!known) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
