/** The pods of one engine, counted by what they are at: waiting for a node, starting, ready, draining. */
import { type Ends, type RunningJobs, STEP_S } from "./running-jobs.ts";

interface Draining {
  pods: number;
  jobs: number;
  ends: Ends;
  /** The step in which what still runs is given back and the pods are gone. */
  deadline: number;
}

/** What a scale-in did. */
export interface Stopped {
  /** Pods told to stop while they ran jobs: they drain. */
  busy: number;
}

/** What draining pods did in a step. */
export interface Drained {
  done: number;
  /** Jobs that did not fit into the drain: they go back to their queue and run again. */
  givenBack: number;
  /** The pods that ran them. */
  killed: number;
}

const NOTHING: Drained = { done: 0, givenBack: 0, killed: 0 };

export class Pods {
  /** Without room on any node yet. */
  pending = 0;
  ready: number;
  /** Pods that were started in all. */
  started = 0;
  readonly #startS: number;
  readonly #drainS: number;
  readonly #starting: { readyAt: number; pods: number }[] = [];
  #startingPods = 0;
  #draining: Draining[] = [];
  #drainingPods = 0;
  #drainingJobs = 0;

  /** `startS` from the pod's place on a node to its first job; `drainS` from SIGTERM to the end of what runs. */
  constructor(ready: number, startS: number, drainS: number) {
    this.ready = ready;
    this.#startS = startS;
    this.#drainS = drainS;
  }

  /** Those that are paid for and take up a node. */
  get placed(): number {
    return this.#startingPods + this.ready + this.#drainingPods;
  }

  get draining(): number {
    return this.#drainingPods;
  }

  get drainingJobs(): number {
    return this.#drainingJobs;
  }

  /** Brings the pods to what the Deployment asks for. Victims are first those that do no work yet, as a ReplicaSet picks. */
  reconcile(step: number, replicas: number, running: RunningJobs): Stopped {
    let surplus = this.pending + this.#startingPods + this.ready - replicas;
    if (surplus <= 0) {
      this.pending -= surplus;
      return { busy: 0 };
    }
    const unplaced = Math.min(this.pending, surplus);
    this.pending -= unplaced;
    surplus -= unplaced;
    while (surplus > 0 && this.#starting.length > 0) {
      const newest = this.#starting.at(-1) as { readyAt: number; pods: number };
      const some = Math.min(newest.pods, surplus);
      newest.pods -= some;
      this.#startingPods -= some;
      surplus -= some;
      if (newest.pods === 0) this.#starting.pop();
    }
    return { busy: surplus > 0 ? this.#drain(step, surplus, running) : 0 };
  }

  #drain(step: number, pods: number, running: RunningJobs): number {
    const ends = running.takeShare(step, pods / this.ready);
    this.ready -= pods;
    let jobs = 0;
    for (const some of ends.values()) jobs += some;
    const busy = Math.min(pods, jobs);
    if (busy === 0) return 0;
    const deadline = step + Math.max(1, Math.floor(this.#drainS / STEP_S));
    this.#draining.push({ pods: busy, jobs, ends, deadline });
    this.#drainingPods += busy;
    this.#drainingJobs += jobs;
    return busy;
  }

  /** Gives pods that wait a place on a node, where they begin to start. */
  place(step: number, pods: number): void {
    if (pods === 0) return;
    this.pending -= pods;
    this.started += pods;
    this.#starting.push({ readyAt: step + Math.ceil(this.#startS / STEP_S), pods });
    this.#startingPods += pods;
  }

  /** What has started by now is ready. */
  settleStarting(step: number): void {
    while (this.#starting[0] && this.#starting[0].readyAt <= step) {
      const { pods } = this.#starting.shift() as { pods: number };
      this.#startingPods -= pods;
      this.ready += pods;
    }
  }

  /** Goes on draining; a pod is gone once its jobs are. */
  settleDraining(step: number): Drained {
    if (this.#draining.length === 0) return NOTHING;
    const drained = { ...NOTHING };
    this.#drainingPods = 0;
    this.#drainingJobs = 0;
    for (const group of this.#draining) {
      const ended = group.ends.get(step) ?? 0;
      drained.done += ended;
      group.jobs -= ended;
      if (step >= group.deadline && group.jobs > 0) {
        drained.givenBack += group.jobs;
        drained.killed += Math.min(group.pods, group.jobs);
        group.jobs = 0;
      }
      this.#drainingPods += Math.min(group.pods, group.jobs);
      this.#drainingJobs += group.jobs;
    }
    this.#draining = this.#draining.filter(({ jobs }) => jobs > 0);
    return drained;
  }

  /** The broker is gone: jobs of draining pods are delivered again later, and the pods end. */
  abandonDraining(): number {
    const jobs = this.#drainingJobs;
    this.#draining = [];
    this.#drainingPods = 0;
    this.#drainingJobs = 0;
    return jobs;
  }
}
