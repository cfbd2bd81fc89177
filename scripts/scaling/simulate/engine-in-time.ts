/** One engine through virtual time: its queue, its pods, and the autoscaler that watches the one and asks for the other. */

import { type Random, randomFrom } from "../../show/random.ts";
import { createAutoscaler } from "../autoscaler.ts";
import { BrokerFigures } from "./broker-figures.ts";
import type { Cluster } from "./nodes.ts";
import { Pods } from "./pods.ts";
import { RunningJobs, STEP_S } from "./running-jobs.ts";
import type { SimulatedEngine } from "./simulated-engine.ts";
import { WaitingLine } from "./waiting-line.ts";
import { WaitingTimes } from "./waiting-times.ts";

/** What befalls the engine in one step. */
export interface Weather {
  /** Jobs published in it. */
  arrivals: number;
  /** Mean time of a job at a full pod. */
  serviceS: number;
  /** The broker can't be reached. */
  outage: boolean;
}

/**
 * A controller comes to its work up to so much late. That matters: whether the change of 15 s ago still
 * counts for a policy of 15 s is decided by it, so that doubling takes now 15 s and now 30.
 */
export const LATENESS_MS = 250;

const OUTAGE_READING = { error: "the management API can't be reached" };

export class EngineInTime {
  readonly engine: SimulatedEngine;
  readonly random: Random;
  readonly pods: Pods;
  readonly waits: WaitingTimes;
  /** Of the current bin of the series. */
  readonly recentWaits: WaitingTimes;
  /** What the Deployment asks for. */
  replicas: number;
  arrived = 0;
  done = 0;
  maxReplicas: number;
  podSeconds = 0;
  podsStoppedBusy = 0;
  podsKilled = 0;
  jobsGivenBack = 0;
  readonly #line = new WaitingLine();
  readonly #running: RunningJobs;
  readonly #figures: BrokerFigures;
  readonly #scaler: ReturnType<typeof createAutoscaler>;
  readonly #onStart: (fromS: number, toS: number, count: number) => void;

  constructor(engine: SimulatedEngine, cluster: Cluster, seed: string) {
    const { scaledObject, targetWaitS } = engine;
    this.engine = engine;
    this.random = randomFrom(`${seed}/${engine.name}`);
    this.#running = new RunningJobs(this.random);
    this.#figures = new BrokerFigures(this.random);
    // As if it had been created some time before: the clocks of engines don't tick together.
    const ageS = this.random.below(scaledObject.pollingIntervalS);
    this.replicas = scaledObject.idleReplicaCount ?? scaledObject.minReplicaCount;
    this.maxReplicas = this.replicas;
    this.#scaler = createAutoscaler(scaledObject, -ageS * 1_000);
    this.pods = new Pods(this.replicas, cluster.podStartS, engine.drainS);
    this.waits = new WaitingTimes(targetWaitS);
    this.recentWaits = new WaitingTimes(targetWaitS);
    this.#onStart = (fromS, toS, count) => {
      this.waits.add(fromS, toS, count);
      this.recentWaits.add(fromS, toS, count);
    };
  }

  get waiting(): number {
    return this.#line.count;
  }

  /** Jobs that still wait at that second, and are late already. */
  overdue(atS: number): number {
    return Math.round(this.#line.cameBefore(atS - this.engine.targetWaitS));
  }

  /** Jobs that workers hold, draining ones included. */
  get running(): number {
    return this.#running.count + this.pods.drainingJobs;
  }

  /** Asks the autoscaler where its clocks are due, and tells pods to come or go. */
  scale(step: number, outage: boolean): void {
    const nowMs = step * STEP_S * 1_000;
    while (this.#scaler.nextMs <= nowMs) {
      const readings = this.engine.scaledObject.triggers.map((trigger) =>
        outage ? OUTAGE_READING : this.#figures.read(trigger),
      );
      const lateMs = this.random.next() * LATENESS_MS;
      this.replicas = this.#scaler.step(this.#scaler.nextMs + lateMs, this.replicas, readings);
    }
    this.maxReplicas = Math.max(this.maxReplicas, this.replicas);
    this.podsStoppedBusy += this.pods.reconcile(step, this.replicas, this.#running).busy;
  }

  /** Lets a step of the queue's life pass. */
  live(step: number, { arrivals, serviceS, outage }: Weather): void {
    const [fromS, toS] = [step * STEP_S, (step + 1) * STEP_S];
    this.arrived += arrivals;
    if (outage) {
      this.#loseBroker(step);
      this.#line.push(fromS, toS, arrivals);
    } else {
      const before = this.done;
      this.pods.settleStarting(step);
      this.#settleDraining(step);
      this.done += this.#running.endDue(step);
      this.#start(step, arrivals, serviceS);
      this.#figures.record(toS, this.waiting, this.running, arrivals, this.done - before);
    }
    this.podSeconds += this.pods.placed * STEP_S;
  }

  #start(step: number, arrivals: number, serviceS: number): void {
    const [fromS, toS] = [step * STEP_S, (step + 1) * STEP_S];
    const slots = this.pods.ready * this.engine.concurrency;
    const line = this.#line;
    const waiting = line.count;
    const room = slots === 0 ? 0 : this.#running.room(slots, serviceS);
    line.push(fromS, toS, arrivals);
    const starts = Math.min(line.count, room);
    if (starts < line.count) line.take(starts, fromS, toS, this.#onStart);
    else {
      // The line empties within the step: from then on jobs start as they come.
      const emptied = waiting === 0 ? 0 : waiting / Math.max(waiting, room - arrivals);
      const held = Math.min(starts, waiting + Math.round(arrivals * emptied));
      line.take(held, fromS, fromS + STEP_S * emptied, this.#onStart);
      line.take(starts - held, fromS + STEP_S * emptied, toS, () => {});
      this.#onStart(0, 0, starts - held);
    }
    this.done += this.#running.start(step, starts, {
      slots,
      serviceS,
      lightS: Math.min(serviceS, this.engine.lightJobS),
      timeoutS: this.engine.timeoutMs / 1_000,
      filled: line.count > 0,
    });
  }

  #settleDraining(step: number): void {
    const { done, givenBack, killed } = this.pods.settleDraining(step);
    this.done += done;
    this.podsKilled += killed;
    this.#giveBack(givenBack);
  }

  /** Nothing can be acked any more: what ran is delivered again when the broker is back. */
  #loseBroker(step: number): void {
    let lost = this.pods.abandonDraining();
    for (const jobs of this.#running.takeShare(step, 1).values()) lost += jobs;
    this.#giveBack(lost);
    this.pods.settleStarting(step);
  }

  #giveBack(jobs: number): void {
    if (jobs === 0) return;
    this.jobsGivenBack += jobs;
    this.#line.giveBack(jobs);
  }
}
