/** The jobs that the pods of one engine are running, by the second in which each will end. */
import type { Random } from "../../show/random.ts";
import { roundAtRandom } from "./sampling.ts";

/** The simulator's time step, in seconds: as fine as the coarsest clock needs (HPA 15, management API 5). */
export const STEP_S = 1;
/** A job takes from half to one and a half of the mean, evenly, unless its timeout cuts it. */
const SPREAD = 0.5;
/** Deviation of such a duration, as a share of the mean. */
const VARIATION = SPREAD / Math.sqrt(3);
/** Up to so many jobs each get a duration of their own; more are spread evenly. */
const ONE_BY_ONE = 32;
/** Longer than the longest job: 25 min, the ceiling of `timeoutMs`, and half of it. */
const HORIZON = 4_096;

/** Jobs of pods that drain, by the step in which they end. */
export type Ends = Map<number, number>;

export interface Start {
  /** Of all ready pods. */
  slots: number;
  /** How long a job takes when all slots are taken, in the mean. */
  serviceS: number;
  /** How long it takes when they are not. */
  lightS: number;
  timeoutS: number;
  /** More jobs wait than could start. */
  filled: boolean;
}

export class RunningJobs {
  readonly #random: Random;
  /** Jobs longer than a step, by the step in which they end. */
  readonly #ends = new Float64Array(HORIZON);
  #long = 0;
  /** Jobs shorter than a step that run at its end. */
  #short = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get count(): number {
    return this.#long + this.#short;
  }

  /** Ends the long jobs that are due at the beginning of the step, and returns how many. */
  endDue(step: number): number {
    const at = step % HORIZON;
    const ended = this.#ends[at] as number;
    this.#ends[at] = 0;
    this.#long -= ended;
    return ended;
  }

  /**
   * How many jobs could start within the step if enough waited: each slot takes the next one when its
   * job ends.
   */
  room(slots: number, serviceS: number): number {
    const free = Math.max(0, slots - this.count);
    if (serviceS >= STEP_S) return free;
    const mean = (Math.max(0, slots - this.#long) * STEP_S) / serviceS;
    const ends = mean + VARIATION * Math.sqrt(mean) * this.#random.normal();
    return free + Math.max(0, roundAtRandom(this.#random, ends));
  }

  /** Starts jobs in the step, and returns how many ended within it. */
  start(step: number, count: number, { slots, serviceS, lightS, timeoutS, filled }: Start): number {
    if (serviceS >= STEP_S) {
      const ended = this.#short;
      this.#short = 0;
      this.#spread(step, count, serviceS, timeoutS);
      return ended;
    }
    const before = this.#short;
    const room = Math.max(0, slots - this.#long);
    // Pods with free slots are quick; what came in the step's last moment still runs (Little's law).
    const still = filled ? room : roundAtRandom(this.#random, (count * lightS) / STEP_S);
    this.#short = Math.min(still, room, before + count);
    return before + count - this.#short;
  }

  #spread(step: number, count: number, serviceS: number, timeoutS: number): void {
    const spread = Math.min(SPREAD, Math.max(0, timeoutS / serviceS - 1));
    const [shortest, longest] = [serviceS * (1 - spread), serviceS * (1 + spread)];
    const add = (jobs: number, durationS: number) => {
      const steps = Math.max(1, roundAtRandom(this.#random, durationS / STEP_S));
      const at = (step + Math.min(steps, HORIZON - 1)) % HORIZON;
      this.#ends[at] = (this.#ends[at] as number) + jobs;
    };
    const groups = Math.min(count, ONE_BY_ONE);
    for (let group = 0; group < groups; group++) {
      const jobs =
        Math.floor(((group + 1) * count) / groups) - Math.floor((group * count) / groups);
      const fraction = (groups < count ? group + 0.5 : this.#random.next() * groups) / groups;
      add(jobs, shortest + (longest - shortest) * fraction);
    }
    this.#long += count;
  }

  /** Takes a share of all jobs out, as pods chosen blindly do: what they have to finish while they drain. */
  takeShare(step: number, share: number): Ends {
    const ends: Ends = new Map();
    const short = Math.min(this.#short, roundAtRandom(this.#random, this.#short * share));
    this.#short -= short;
    if (short > 0) ends.set(step + 1, short);
    if (this.#long === 0) return ends;
    for (let later = 0; later < HORIZON; later++) {
      const at = (step + later) % HORIZON;
      const jobs = this.#ends[at] as number;
      if (jobs === 0) continue;
      const some = Math.min(jobs, roundAtRandom(this.#random, jobs * share));
      if (some === 0) continue;
      this.#ends[at] = jobs - some;
      this.#long -= some;
      const key = step + Math.max(later, 1);
      ends.set(key, (ends.get(key) ?? 0) + some);
    }
    return ends;
  }
}
