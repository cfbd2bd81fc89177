/**
 * The latency of a call with one job in flight, the engine beside raw, call by call in turn, and naive beside
 * raw in the same way; and the engine's idle RSS. Raw is the broker alone; naive is what the two round trips,
 * to Redis and to Postgres, cost at least.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { median, nearestRank } from "../show/statistics.ts";
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
import { startProcess, type WorkerProcess } from "./worker-process.ts";

/** V8 compiles what a call passes through only after hundreds of them, and a worker lives for hours. */
const WARM_UP_CALLS = 1_000;
const START_TIMEOUT_MS = 30_000;
const IDLE_MS = 2_000;

const SIDES = ["raw", "engine", "naive"] as const;
type Side = (typeof SIDES)[number];

export interface Latency {
  p50Ms: number;
  p99Ms: number;
}
/** One side beside raw. */
export interface Pair {
  raw: Latency;
  other: Latency;
  /** Median of the other over median of raw. */
  ratio: number;
}
export interface RpcResult {
  engine: Pair;
  naive: Pair;
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
    const besideRaw = async (side: Side): Promise<Pair> => {
      const call = async (to: Side, n: number) => {
        const { exchange, routingKey } = lanes[to];
        const id = `${run}-${side}-${to}-${n}`;
        const startMs = performance.now();
        return (await caller.call(exchange, routingKey, id, noopJob(n))) - startMs;
      };
      const raw: number[] = [];
      const other: number[] = [];
      for (let n = -WARM_UP_CALLS; n < calls; n++) {
        const rawMs = await call("raw", n);
        const otherMs = await call(side, n);
        if (n < 0) continue;
        raw.push(rawMs);
        other.push(otherMs);
      }
      return { raw: latency(raw), other: latency(other), ratio: median(other) / median(raw) };
    };
    return { engine: await besideRaw("engine"), naive: await besideRaw("naive"), idleRssMb };
  } finally {
    await caller.close();
    await Promise.all(Object.values(workers).map((worker) => worker.stop()));
  }
}

const latency = (times: number[]): Latency => ({
  p50Ms: median(times),
  p99Ms: nearestRank(times, 99) ?? Number.NaN,
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
