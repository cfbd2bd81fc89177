/**
 * The latency of a call with one job in flight, the engine beside raw and naive, call by call in turn; and
 * the engine's idle RSS. Raw is the broker alone; naive is what the two round trips to Redis and Postgres
 * cost at least.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  engineCommand,
  NAIVE_QUEUE,
  NOOP,
  naiveCommand,
  RAW_QUEUE,
  rawCommand,
} from "./contestants.ts";
import { declareQueue, type Harness } from "./harness.ts";
import { noopJob } from "./lanes.ts";
import { ID_PREFIX } from "./load.ts";
import { readUsage } from "./process-usage.ts";
import { openCaller } from "./replies.ts";
import { median, percentile } from "./statistics.ts";
import { startProcess, type WorkerProcess } from "./worker-process.ts";

/** V8 compiles what a call passes through only after hundreds of them, and a worker lives for hours. */
const WARM_UP_CALLS = 1_000;
const START_TIMEOUT_MS = 30_000;
const IDLE_MS = 2_000;

const SIDES = ["raw", "naive", "engine"] as const;

export interface Latency {
  p50Ms: number;
  p99Ms: number;
}
export interface RpcResult {
  raw: Latency;
  naive: Latency;
  engine: Latency;
  /** Median of the engine over median of raw. */
  ratio: number;
  /** Resident memory of the engine's worker, connected and waiting. */
  idleRssMb: number;
}

export async function measureRpc(harness: Harness, calls: number): Promise<RpcResult> {
  const { channel, names, folder } = harness;
  const lanes = {
    raw: { exchange: "", routingKey: RAW_QUEUE, queue: RAW_QUEUE },
    naive: { exchange: "", routingKey: NAIVE_QUEUE, queue: NAIVE_QUEUE },
    engine: { exchange: names.jobs, routingKey: "noop", queue: names.queue("noop") },
  };
  for (const queue of [RAW_QUEUE, NAIVE_QUEUE]) await declareQueue(channel, queue);
  for (const { queue } of Object.values(lanes)) await channel.purgeQueue(queue);
  const workers = {
    raw: startProcess(rawCommand(harness), folder),
    naive: startProcess(naiveCommand(harness), folder),
    engine: startProcess(engineCommand(harness, "tl-engine-rpc", NOOP), folder),
  };
  const caller = await openCaller(harness);
  try {
    for (const side of SIDES) await consuming(harness, lanes[side].queue, workers[side]);
    await sleep(IDLE_MS);
    const idleRssMb = readUsage(workers.engine.pid).rssMb;
    const run = `${ID_PREFIX}${Date.now().toString(36)}-rpc`;
    const times = { raw: [] as number[], naive: [] as number[], engine: [] as number[] };
    for (let n = -WARM_UP_CALLS; n < calls; n++) {
      for (const side of SIDES) {
        const { exchange, routingKey } = lanes[side];
        const startMs = performance.now();
        const endMs = await caller.call(exchange, routingKey, `${run}-${side}-${n}`, noopJob(n));
        if (n >= 0) times[side].push(endMs - startMs);
      }
    }
    return {
      raw: latency(times.raw),
      naive: latency(times.naive),
      engine: latency(times.engine),
      ratio: median(times.engine) / median(times.raw),
      idleRssMb,
    };
  } finally {
    await caller.close();
    await Promise.all(Object.values(workers).map((worker) => worker.stop()));
  }
}

const latency = (times: number[]): Latency => ({
  p50Ms: median(times),
  p99Ms: percentile(times, 99),
});

/** Waits until the broker sees a consumer on the queue. */
async function consuming({ channel }: Harness, queue: string, worker: WorkerProcess) {
  const startMs = performance.now();
  while ((await channel.checkQueue(queue)).consumerCount === 0) {
    worker.assertAlive();
    if (performance.now() - startMs > START_TIMEOUT_MS)
      throw new Error(`nobody consumes from ${queue} after ${START_TIMEOUT_MS} ms`);
    await sleep(20);
  }
}
