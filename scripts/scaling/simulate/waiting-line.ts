/** The jobs of a queue in the order they came, as groups: who came in one second is one entry. */

/** Told of jobs that start: their waits run evenly from `fromS` to `toS`. */
export type OnStart = (fromS: number, toS: number, count: number) => void;

export class WaitingLine {
  /** Jobs that wait, those that were given back among them. */
  count = 0;
  /** Jobs that a worker had and gave back: they go first, and their wait was counted when they started. */
  #returned = 0;
  // A ring of groups: [from, to) in seconds, and how many came in between, evenly.
  #fromS = new Float64Array(1_024);
  #toS = new Float64Array(1_024);
  #jobs = new Float64Array(1_024);
  #head = 0;
  #groups = 0;

  /** Adds jobs that come evenly from `fromS` to `toS`. */
  push(fromS: number, toS: number, count: number): void {
    if (count <= 0) return;
    if (this.#groups === this.#jobs.length) this.#grow();
    const at = (this.#head + this.#groups++) % this.#jobs.length;
    this.#fromS[at] = fromS;
    this.#toS[at] = toS;
    this.#jobs[at] = count;
    this.count += count;
  }

  giveBack(count: number): void {
    this.#returned += count;
    this.count += count;
  }

  /** Takes the first `count` jobs, which start evenly from `fromS` to `toS`. */
  take(count: number, fromS: number, toS: number, onStart: OnStart): void {
    const again = Math.min(this.#returned, count);
    this.#returned -= again;
    this.count -= count;
    let taken = again;
    while (taken < count && this.#groups > 0) {
      const at = this.#head;
      const jobs = this.#jobs[at] as number;
      const cameS = this.#fromS[at] as number;
      const some = Math.min(jobs, count - taken);
      const lastCameS = cameS + ((this.#toS[at] as number) - cameS) * (some / jobs);
      const startsS = fromS + (toS - fromS) * (taken / count);
      taken += some;
      onStart(startsS - cameS, fromS + (toS - fromS) * (taken / count) - lastCameS, some);
      if (some < jobs) {
        this.#jobs[at] = jobs - some;
        this.#fromS[at] = lastCameS;
      } else {
        this.#head = (at + 1) % this.#jobs.length;
        this.#groups--;
      }
    }
  }

  /** Jobs that came before that second and still wait; those that were given back have started once. */
  cameBefore(atS: number): number {
    let jobs = 0;
    for (let group = 0; group < this.#groups; group++) {
      const at = (this.#head + group) % this.#jobs.length;
      const [fromS, toS] = [this.#fromS[at] as number, this.#toS[at] as number];
      if (fromS >= atS) break;
      const share = toS > atS ? (atS - fromS) / (toS - fromS) : 1;
      jobs += (this.#jobs[at] as number) * share;
    }
    return jobs;
  }

  #grow(): void {
    const unrolled = (ring: Float64Array) => {
      const longer = new Float64Array(2 * ring.length);
      longer.set(ring.subarray(this.#head));
      longer.set(ring.subarray(0, this.#head), ring.length - this.#head);
      return longer;
    };
    this.#fromS = unrolled(this.#fromS);
    this.#toS = unrolled(this.#toS);
    this.#jobs = unrolled(this.#jobs);
    this.#head = 0;
  }
}
