/** The simulation: a load, engines and a cluster go in, what happens and what it costs comes out. */
import { EngineInTime } from "./engine-in-time.ts";
import type { Load } from "./loads.ts";
import { type Cluster, DEFAULT_CLUSTER, Nodes } from "./nodes.ts";
import { Recorder } from "./record-series.ts";
import {
  DEFAULT_PRICES,
  type EngineResult,
  type PodPrices,
  type Result,
  type Waits,
} from "./result.ts";
import { STEP_S } from "./running-jobs.ts";
import { poisson } from "./sampling.ts";
import type { SimulatedEngine } from "./simulated-engine.ts";
import { usageOf } from "./usage.ts";
import { WaitingTimes } from "./waiting-times.ts";

export interface SimulateOptions {
  engines: readonly SimulatedEngine[];
  load: Load;
  /** The same seed gives the same result, to the last digit. Default "1". */
  seed?: string;
  cluster?: Partial<Cluster>;
  prices?: PodPrices;
}

/**
 * Runs the load through the engines in steps of a second: a day of 100 M jobs takes as long as one of
 * 1 M. Throws UnknownReading for a trigger whose figure it can't tell.
 */
export function simulate({
  engines,
  load,
  seed = "1",
  cluster: changes,
  prices = DEFAULT_PRICES,
}: SimulateOptions): Result {
  const cluster = { ...DEFAULT_CLUSTER, ...changes };
  const fleet = engines.map((engine) => new EngineInTime(engine, cluster, seed));
  const nodes = new Nodes(
    cluster,
    engines.map(({ podSize }) => podSize),
  );
  nodes.ready = nodes.needed(fleet.map(({ pods }) => pods.placed));
  const recorders = fleet.map((it) => new Recorder(it, load.durationS));
  const steps = Math.ceil(load.durationS / STEP_S);
  let [maxPods, maxNodes, nodeSeconds] = [0, 0, 0];
  for (let step = 0; step < steps; step++) {
    const atS = step * STEP_S;
    const outage = within(load.outage, atS);
    const slow = within(load.slow, atS) ? load.slow : undefined;
    for (const it of fleet) it.scale(step, outage);
    settleNodes(step, nodes, fleet);
    for (const [index, it] of fleet.entries()) {
      const { engine } = it;
      const arrivals = poisson(it.random, load.rate(engine, atS) * STEP_S);
      const serviceS = slow?.serviceS(engine) ?? engine.concurrency / engine.jobsPerSecond;
      it.live(step, { arrivals, serviceS, outage });
      recorders[index]?.record(step, arrivals);
    }
    let placed = 0;
    for (const { pods } of fleet) placed += pods.placed;
    maxPods = Math.max(maxPods, placed);
    maxNodes = Math.max(maxNodes, nodes.ready);
    nodeSeconds += nodes.ready * STEP_S;
  }
  const results = fleet.map((it, index) =>
    resultOf(it, recorders[index] as Recorder, load.durationS, prices),
  );
  const all = new WaitingTimes(0);
  for (const { waits } of fleet) all.addAll(waits);
  const total = (figure: (result: EngineResult) => number) =>
    results.reduce((sum, result) => sum + figure(result), 0);
  return {
    load: load.name,
    title: load.title,
    seed,
    durationS: load.durationS,
    clockS: load.clockS,
    engines: results,
    jobs: total(({ jobs }) => jobs),
    done: total(({ done }) => done),
    late: total(({ late }) => late),
    wait: waitsOf(all),
    maxPods,
    podHours: total(({ podHours }) => podHours),
    costUsd: total(({ costUsd }) => costUsd),
    maxNodes,
    nodeHours: nodeSeconds / 3_600,
  };
}

const within = (span: { fromS: number; toS: number } | undefined, atS: number) =>
  span !== undefined && atS >= span.fromS && atS < span.toS;

/** Adds nodes for pods that don't fit, and gives pods that wait their place, the engines by turns. */
function settleNodes(step: number, nodes: Nodes, fleet: readonly EngineInTime[]): void {
  const wanted = fleet.map(({ pods }) => pods.placed + pods.pending);
  nodes.settle(step, wanted);
  if (nodes.fits(wanted)) {
    for (const { pods } of fleet) pods.place(step, pods.pending);
    return;
  }
  const placed = fleet.map(({ pods }) => pods.placed);
  for (let again = true; again; ) {
    again = false;
    for (const [index, { pods }] of fleet.entries()) {
      if (pods.pending === 0) continue;
      placed[index] = (placed[index] as number) + 1;
      if (nodes.fits(placed)) {
        pods.place(step, 1);
        again = true;
      } else placed[index] = (placed[index] as number) - 1;
    }
  }
}

const waitsOf = (waits: WaitingTimes): Waits => ({
  meanS: waits.meanS,
  p50S: waits.percentileS(50),
  p95S: waits.percentileS(95),
  p99S: waits.percentileS(99),
  maxS: waits.maxS,
});

function resultOf(
  it: EngineInTime,
  recorder: Recorder,
  durationS: number,
  prices: PodPrices,
): EngineResult {
  const { engine, pods, waits } = it;
  const podHours = it.podSeconds / 3_600;
  const { cpu, memoryGib } = engine.podSize;
  return {
    engine: engine.name,
    jobs: it.arrived,
    done: it.done,
    waiting: it.waiting,
    running: it.running,
    late: Math.round(waits.late) + it.overdue(durationS),
    targetWaitS: engine.targetWaitS,
    wait: waitsOf(waits),
    maxReplicas: it.maxReplicas,
    maxReplicaCount: engine.scaledObject.maxReplicaCount,
    podHours,
    costUsd: podHours * (cpu * prices.usdPerCpuHour + memoryGib * prices.usdPerGibHour),
    podsStarted: pods.started,
    podsStoppedBusy: it.podsStoppedBusy,
    podsKilled: it.podsKilled,
    jobsGivenBack: it.jobsGivenBack,
    usage: usageOf(it),
    series: recorder.series,
  };
}
