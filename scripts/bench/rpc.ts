/** The latency of a call with one job in flight, the engine beside raw, call by call in turn; and the engine's idle RSS. */
import { setTimeout as sleep } from "node:timers/promises";
import { engineCommand, NOOP, peerCommand, RAW_QUEUE } from "./contestants.ts";
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

export interface Latency {
  p50Ms: number;
  p99Ms: number;
}
export interface RpcResult {
  raw: Latency;
  engine: Latency;
  /** Median of the engine over median of raw. */
  ratio: number;
  /** Resident memory of the engine's worker, connected and waiting. */
  idleRssMb: number;
}

export async function measureRpc(harness: Harness, calls: number): Promise<RpcResult> {
  const { channel, names, urls, folder } = harness;
  const sides = {
    raw: { exchange: "", routingKey: RAW_QUEUE, queue: RAW_QUEUE },
    engine: { exchange: names.jobs, routingKey: "noop", queue: names.queue("noop") },
  };
  await declareQueue(channel, RAW_QUEUE);
  for (const { queue } of Object.values(sides)) await channel.purgeQueue(queue);
  const raw = startProcess(peerCommand("raw", urls.AMQP_URL, RAW_QUEUE), folder);
  const engine = startProcess(engineCommand(harness, "tl-engine-rpc", NOOP), folder);
  const caller = await openCaller(harness);
  try {
    await consuming(harness, sides.raw.queue, raw);
    await consuming(harness, sides.engine.queue, engine);
    await sleep(IDLE_MS);
    const idleRssMb = readUsage(engine.pid).rssMb;
    const run = `${ID_PREFIX}${Date.now().toString(36)}-rpc`;
    const times = { raw: [] as number[], engine: [] as number[] };
    for (let n = -WARM_UP_CALLS; n < calls; n++) {
      for (const side of ["raw", "engine"] as const) {
        const { exchange, routingKey } = sides[side];
        const startMs = performance.now();
        const endMs = await caller.call(exchange, routingKey, `${run}-${side}-${n}`, noopJob(n));
        if (n >= 0) times[side].push(endMs - startMs);
      }
    }
    return {
      raw: latency(times.raw),
      engine: latency(times.engine),
      ratio: median(times.engine) / median(times.raw),
      idleRssMb,
    };
  } finally {
    await caller.close();
    await Promise.all([raw.stop(), engine.stop()]);
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
