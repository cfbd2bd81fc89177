/**
 * The engines themselves through the whole fleet path, with results, replies and events: what a replica
 * does in a second, which the targets of keda/ follow from.
 */
import type { SampleJobs } from "@tl-engine/shared";
import type { WorkerDefinition } from "../../shared/engine/define-worker.ts";
import { BURIALS } from "../../shared/wire/names.ts";
import { readEngines } from "../scaling/simulate/engines.ts";
import { median } from "../show/statistics.ts";
import { loadSampleJobs, loadWorkers } from "../workers.ts";
import { engineCommand } from "./contestants.ts";
import type { Harness } from "./harness.ts";
import { type AmqpJob, amqpLane } from "./lanes.ts";
import { ID_PREFIX } from "./load.ts";
import { type Measurement, measure } from "./throughput.ts";

export interface MeasuredEngine {
  definition: WorkerDefinition;
  /** Its file, from the repository. */
  entry: string;
  /** Part of the jobs that it gets, so that each engine takes about as long: by the rate that its KEDA file gives. */
  share: number;
  sampleJobs: SampleJobs;
}

/** Every engine of workers/. */
export async function measuredEngines(): Promise<MeasuredEngine[]> {
  const rates = new Map(
    (await readEngines()).map(({ name, jobsPerSecond }) => [name, jobsPerSecond]),
  );
  const highest = Math.max(...rates.values());
  return Promise.all(
    (await loadWorkers()).map(async ({ definition }) => ({
      definition,
      entry: `workers/${definition.name}/index.ts`,
      share: (rates.get(definition.name) ?? highest) / highest,
      sampleJobs: await loadSampleJobs(definition.name),
    })),
  );
}

export interface EngineMeasurement extends Measurement {
  engine: string;
}

export async function measureEngines(
  engines: readonly MeasuredEngine[],
  harness: Harness,
  jobs: number,
  rounds: number,
): Promise<EngineMeasurement[]> {
  const names = engines.map(({ definition }) => definition.name);
  const measured: EngineMeasurement[] = [];
  for (const engine of engines)
    measured.push(await measureOne(engine, names, harness, jobs, rounds));
  return measured;
}

async function measureOne(
  { definition: { name }, entry, share, sampleJobs }: MeasuredEngine,
  fleet: readonly string[],
  harness: Harness,
  jobs: number,
  rounds: number,
): Promise<EngineMeasurement> {
  const { names } = harness;
  const others = fleet.filter((other) => other !== name);
  const job = (n: number): AmqpJob => {
    const { type, input, diedIn } = sampleJobs(n, others);
    const death = { queue: names.queue(diedIn ?? ""), reason: "expired" };
    return {
      type,
      body: Buffer.from(JSON.stringify(input)),
      ...(diedIn !== undefined && { headers: { "x-death": [death] } }),
    };
  };
  // What the broker dead-letters comes by an exchange of its own, and what ends there has failed.
  const isBurials = name === BURIALS;
  const exchange = isBurials ? names.burials : names.jobs;
  const lane = amqpLane(harness, { exchange, routingKey: name, queue: names.queue(name) }, job);
  const command = engineCommand(harness, name, entry);
  const measurements: Measurement[] = [];
  for (let round = 1; round <= rounds; round++) {
    const idPrefix = `${ID_PREFIX}${Date.now().toString(36)}-${name}-${round}`;
    const contestant = { lane, command, persists: !isBurials };
    measurements.push(await measure(contestant, Math.ceil(jobs * share), idPrefix, harness));
  }
  const middle = (field: keyof Measurement) => median(measurements.map((each) => each[field]));
  return {
    engine: name,
    jobsPerSecond: middle("jobsPerSecond"),
    cpuUsPerJob: middle("cpuUsPerJob"),
    peakRssMb: middle("peakRssMb"),
  };
}
