/**
 * Rounds of throughput: each contestant in turn, again and again, so that noise hits all alike.
 *
 * The jobs are in the queue before the worker starts, so only consumption is measured. The worker is a
 * new process each round; its first jobs (connecting, compiling) warm it up, then the clock starts.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Contestant } from "./contestants.ts";
import type { Harness } from "./harness.ts";
import { ID_PREFIX } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { readUsage } from "./process-usage.ts";
import { startProcess, type WorkerProcess } from "./worker-process.ts";

/**
 * Jobs before the clock starts, as a part of those that are measured. A worker lives for hours, and V8
 * compiles through its first tens of thousands: with JOBS=20000 the engine takes a fifth more CPU per job
 * than with 60000. All contestants get the same time for it.
 */
const WARM_UP = 1;
/** The broker writes segments behind the preload; let it finish. */
const SETTLE_MS = 500;
const POLL_MS = 20;
const STUCK_MS = 60_000;

export interface Measurement {
  jobsPerSecond: number;
  cpuUsPerJob: number;
  peakRssMb: number;
}

export type Rounds = Map<Contestant["name"], Measurement[]>;

/** @param onRound told of every measurement as it comes. */
export async function measureRounds(
  contestants: Contestant[],
  options: Pick<BenchOptions, "jobs" | "rounds">,
  harness: Pick<Harness, "database" | "folder">,
  onRound: (name: string, round: number, measurement: Measurement) => void,
): Promise<Rounds> {
  const rounds: Rounds = new Map(contestants.map(({ name }) => [name, []]));
  const run = `${ID_PREFIX}${Date.now().toString(36)}`;
  for (let round = 1; round <= options.rounds; round++) {
    for (const contestant of contestants) {
      const jobs = Math.ceil(options.jobs * contestant.share);
      const idPrefix = `${run}-${contestant.name}-${round}`;
      const measurement = await measure(contestant, jobs, idPrefix, harness);
      rounds.get(contestant.name)?.push(measurement);
      onRound(contestant.name, round, measurement);
    }
  }
  return rounds;
}

/** One round of one contestant: `jobs` of them measured, after the warm-up. */
export async function measure(
  { lane, command, persists }: Pick<Contestant, "lane" | "command" | "persists">,
  jobs: number,
  idPrefix: string,
  { database, folder }: Pick<Harness, "database" | "folder">,
): Promise<Measurement> {
  const warmUp = Math.ceil(jobs * WARM_UP);
  await lane.clear();
  await lane.preload(warmUp + jobs, idPrefix);
  await sleep(SETTLE_MS);
  const worker = startProcess(command, folder);
  let measurement: Measurement;
  try {
    const start = await reached(lane, warmUp, worker);
    const usageAtStart = readUsage(worker.pid);
    const end = await reached(lane, warmUp + jobs, worker);
    const usage = readUsage(worker.pid);
    const measured = end.done - start.done;
    measurement = {
      jobsPerSecond: (measured / (end.atMs - start.atMs)) * 1000,
      cpuUsPerJob: (usage.cpuUs - usageAtStart.cpuUs) / measured,
      peakRssMb: usage.peakRssMb,
    };
  } finally {
    await worker.stop();
  }
  if (persists) await expectResults(database, idPrefix, warmUp + jobs);
  return measurement;
}

/** Every job must have left its row: whoever skips the work is not measured. */
async function expectResults(database: Harness["database"], idPrefix: string, expected: number) {
  const { rows } = await database.query(
    "SELECT count(*)::int AS found FROM engine.results WHERE job_id LIKE $1 AND status = 'succeeded'",
    [`${idPrefix}-%`],
  );
  if (rows[0].found !== expected)
    throw new Error(`${idPrefix}: ${rows[0].found} results of ${expected} jobs`);
}

/** Waits until `target` jobs are done; says how many really were, and when. */
async function reached(lane: Contestant["lane"], target: number, worker: WorkerProcess) {
  let last = 0;
  let progressMs = performance.now();
  for (;;) {
    const done = await lane.done();
    const atMs = performance.now();
    if (done >= target) return { done, atMs };
    if (done > last) progressMs = atMs;
    last = done;
    worker.assertAlive();
    if (atMs - progressMs > STUCK_MS) throw new Error(`stuck at ${done} of ${target} jobs`);
    await sleep(POLL_MS);
  }
}
