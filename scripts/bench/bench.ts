/** `make bench`: the engine beside its peers, on the same services, in alternating rounds. */
import "../show/closed-pipe.ts";
import { rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { provideServices, type Services } from "../../shared/services/index.ts";
import { drawChart } from "./chart.ts";
import { measureColdStart } from "./cold-start.ts";
import { assemble, NOOP, PEER_QUEUES } from "./contestants.ts";
import { type MeasuredEngine, measuredEngines, measureEngines } from "./engines.ts";
import { closeHarness, type Harness, openHarness } from "./harness.ts";
import noop from "./noop/index.ts";
import { type BenchOptions, readOptions } from "./options.ts";
import { canMeasureUsage } from "./process-usage.ts";
import { describeProfile } from "./profile.ts";
import { type BenchResult, describe, engineLines, lastLine, summarise } from "./report.ts";
import { measureRpc } from "./rpc.ts";
import { measureRounds } from "./throughput.ts";
import { killAllStarted } from "./worker-process.ts";

const FOLDER = fileURLToPath(new URL("../../out/bench", import.meta.url));

async function bench(
  harness: Harness,
  engines: readonly MeasuredEngine[],
  options: BenchOptions,
): Promise<BenchResult> {
  const { contestants, leftOut } = await assemble(harness, options);
  for (const name of leftOut) console.log(`${name}: not installed here, left out`);
  try {
    const rounds = await measureRounds(contestants, options, harness, (name, round, figures) => {
      const { jobsPerSecond, cpuUsPerJob } = figures;
      const speed = `${jobsPerSecond.toFixed(0).padStart(6)} jobs/s`;
      console.log(
        `round ${round}  ${name.padEnd(10)} ${speed}  ${cpuUsPerJob.toFixed(1)} µs CPU/job`,
      );
    });
    const runs = (extra: BenchOptions["extras"][number]) => options.extras.includes(extra);
    const { product, version } = harness.broker;
    return {
      at: new Date().toISOString(),
      machine: {
        cpu: cpus()[0]?.model.trim() ?? "?",
        cpus: cpus().length,
        node: process.versions.node,
        broker: `${product} ${version}`,
      },
      options,
      peers: summarise(rounds, new Map(contestants.map(({ name, does }) => [name, does]))),
      leftOut,
      rpc: runs("rpc") ? await measureRpc(harness, options.calls) : undefined,
      coldStart: runs("cold-start") ? await measureColdStart(harness, options.starts) : undefined,
      engines: runs("engines")
        ? await measureEngines(engines, harness, Math.ceil(options.jobs / 6), 3)
        : undefined,
    };
  } finally {
    for (const { lane } of contestants) await lane.close();
  }
}

async function onServices(services: Services, options: BenchOptions): Promise<BenchResult> {
  const { amqpUrl, managementUrl, databaseUrl, redisUrl } = services;
  const urls = {
    AMQP_URL: amqpUrl,
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    ...(managementUrl !== undefined && { RABBITMQ_MANAGEMENT_URL: managementUrl }),
  };
  const engines = await measuredEngines();
  const harness = await openHarness(urls, [{ definition: noop, entry: NOOP }, ...engines], FOLDER);
  try {
    return await bench(harness, engines, options);
  } finally {
    killAllStarted();
    await closeHarness(harness, PEER_QUEUES);
  }
}

async function main(): Promise<void> {
  const options = readOptions(process.env);
  if (!canMeasureUsage)
    console.log("No /proc here: CPU and memory are not measured and read as 0.");
  rmSync(`${FOLDER}/profile`, { recursive: true, force: true });
  const services = await provideServices();
  let result: BenchResult;
  try {
    result = await onServices(services, options);
  } finally {
    killAllStarted();
    await services.stop();
  }
  writeFileSync(`${FOLDER}/bench.json`, `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(`${FOLDER}/bench.svg`, drawChart(result));
  if (options.profile) for (const line of describeProfile(`${FOLDER}/profile`)) console.log(line);
  for (const line of describe(result)) console.log(line);
  console.log(`\nWritten: out/bench/bench.json, out/bench/bench.svg`);
  for (const line of engineLines(result)) console.log(line);
  console.log(lastLine(result));
}

await main();
