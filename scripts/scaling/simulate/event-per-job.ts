/** The simulator's check: the same fleet with one event for each job, written without any of its arithmetic. */

import { randomFrom } from "../../show/random.ts";
import { createAutoscaler } from "../autoscaler.ts";
import { LATENESS_MS } from "./engine-in-time.ts";
import type { SimulatedEngine } from "./simulated-engine.ts";

interface Pod {
  /** Seconds at which it takes its first job. */
  readyAtS: number;
  /** Ends of the jobs that it runs. */
  ends: number[];
  draining: boolean;
}

export interface Seen {
  arrived: number;
  done: number;
  waiting: number;
  running: number;
  /** Sorted. */
  waitsS: number[];
  podHours: number;
  maxReplicas: number;
}

/** Events are a tenth of a second apart at most, so that a pod's end and a job's start are off by less. */
const TICK_S = 0.1;

/** Runs jobs that come at those seconds (sorted) through the engine's autoscaler and pods. Nodes have room. */
export function simulateEachJob(
  engine: SimulatedEngine,
  comesAtS: readonly number[],
  durationS: number,
  podStartS: number,
  seed: string,
): Seen {
  const draw = randomFrom(`each job ${seed}`);
  const meanS = engine.concurrency / engine.jobsPerSecond;
  const durationOfJob = () => meanS * (0.5 + draw.next());
  const scaler = createAutoscaler(
    engine.scaledObject,
    -draw.below(engine.scaledObject.pollingIntervalS) * 1_000,
  );
  const [tellsAtS, looksAtS] = [draw.below(5), draw.below(5)];
  let told = 0;
  let replicas = engine.scaledObject.minReplicaCount;
  let pods: Pod[] = Array.from({ length: replicas }, () => newPod(0));
  const queue: number[] = [];
  const seen: Seen = {
    arrived: 0,
    done: 0,
    waiting: 0,
    running: 0,
    waitsS: [],
    podHours: 0,
    maxReplicas: replicas,
  };
  let messages = 0;
  let head = 0;
  for (let tick = 0; tick * TICK_S < durationS; tick++) {
    const nowS = tick * TICK_S;
    const running = () =>
      pods.reduce((sum, { ends }) => sum + ends.filter((endsS) => endsS > nowS).length, 0);
    const second = tick % 10 === 0 ? Math.round(nowS) % 5 : -1;
    if (second === looksAtS) messages = told;
    if (second === tellsAtS) told = queue.length - head + running();
    while (scaler.nextMs <= nowS * 1_000) {
      const reading = { value: messages, active: messages > 0 };
      replicas = scaler.step(scaler.nextMs + draw.next() * LATENESS_MS, replicas, [reading]);
      seen.maxReplicas = Math.max(seen.maxReplicas, replicas);
    }
    scaleTo(pods, replicas, nowS, podStartS, draw.next);
    while ((comesAtS[seen.arrived] ?? Number.POSITIVE_INFINITY) < nowS + TICK_S)
      queue.push(comesAtS[seen.arrived++] as number);
    for (const pod of pods) {
      // A slot takes one job after the other within the tick.
      const slots = pod.draining || pod.readyAtS > nowS ? 0 : engine.concurrency;
      pod.ends.sort((a, b) => a - b);
      while (pod.ends[0] !== undefined && pod.ends[0] < nowS) {
        pod.ends.shift();
        seen.done++;
      }
      while (pod.ends.length < slots && head < queue.length)
        head += startJob(pod, queue[head] as number, nowS);
      for (;;) {
        const free = pod.ends[0];
        if (free === undefined || free >= nowS + TICK_S || slots === 0 || head >= queue.length)
          break;
        pod.ends.shift();
        seen.done++;
        head += startJob(pod, queue[head] as number, free);
        pod.ends.sort((a, b) => a - b);
      }
    }
    pods = pods.filter((pod) => !(pod.draining && pod.ends.length === 0));
    seen.podHours += (pods.length * TICK_S) / 3_600;
  }
  function startJob(pod: Pod, cameS: number, atS: number): 1 {
    const startsS = Math.max(cameS, atS);
    seen.waitsS.push(startsS - cameS);
    pod.ends.push(startsS + durationOfJob());
    return 1;
  }
  seen.waiting = queue.length - head;
  seen.running = pods.reduce((sum, { ends }) => sum + ends.length, 0);
  seen.waitsS.sort((a, b) => a - b);
  return seen;
}

const newPod = (readyAtS: number): Pod => ({ readyAtS, ends: [], draining: false });

/** New pods start; those too many are the ones that have not started, then any. */
function scaleTo(
  pods: Pod[],
  replicas: number,
  nowS: number,
  podStartS: number,
  draw: () => number,
): void {
  const alive = () => pods.filter(({ draining }) => !draining);
  for (let count = alive().length; count < replicas; count++) pods.push(newPod(nowS + podStartS));
  for (let left = alive(); left.length > replicas; left = alive()) {
    const starting = left.findLast(({ readyAtS }) => readyAtS > nowS);
    (starting ?? (left[Math.floor(draw() * left.length)] as Pod)).draining = true;
  }
}
