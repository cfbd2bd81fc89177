/** How long jobs waited, as a histogram: millions of jobs in a thousand numbers. */

/** Waits up to this are told apart from none at all, and not from one another. */
const SHORTEST_S = 0.001;
/** Each bucket is so much wider than the one before: a percentile is off by at most half of it. */
const GROWTH = 1.02;
const LOG_GROWTH = Math.log(GROWTH);
/** Up to eight days. */
const BUCKETS = 2 + Math.ceil(Math.log((8 * 86_400) / SHORTEST_S) / LOG_GROWTH);
/** A group whose waits differ is spread over at most so many points. */
const MOST_SLICES = 64;

export class WaitingTimes {
  /** Jobs counted so far. */
  count = 0;
  /** Of them, those that waited longer than `lateAfterS`. */
  late = 0;
  maxS = 0;
  readonly #lateAfterS: number;
  readonly #buckets = new Float64Array(BUCKETS);
  #sumS = 0;

  constructor(lateAfterS: number) {
    this.#lateAfterS = lateAfterS;
  }

  get meanS(): number {
    return this.count === 0 ? 0 : this.#sumS / this.count;
  }

  /** Counts jobs whose waits run evenly from one to the other. */
  add(fromS: number, toS: number, count: number): void {
    if (count <= 0) return;
    const low = Math.max(0, Math.min(fromS, toS));
    const high = Math.max(0, fromS, toS);
    this.count += count;
    this.#sumS += (count * (low + high)) / 2;
    if (high > this.maxS) this.maxS = high;
    if (low > this.#lateAfterS) this.late += count;
    else if (high > this.#lateAfterS)
      this.late += (count * (high - this.#lateAfterS)) / (high - low);
    const spanned = 1 + bucketOf(high) - bucketOf(low);
    const slices = Math.min(spanned, MOST_SLICES);
    for (let slice = 0; slice < slices; slice++) {
      const waitS = low + ((high - low) * (slice + 0.5)) / slices;
      const bucket = bucketOf(waitS);
      this.#buckets[bucket] = (this.#buckets[bucket] as number) + count / slices;
    }
  }

  /** The wait that `percent` per cent of the jobs did not exceed; 0 when there are none. */
  percentileS(percent: number): number {
    let rest = (this.count * percent) / 100 - 1e-6;
    if (rest < 0) return 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      rest -= this.#buckets[bucket] as number;
      if (rest <= 0) return Math.min(this.maxS, middleOf(bucket));
    }
    return this.maxS;
  }

  addAll(others: WaitingTimes): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++)
      this.#buckets[bucket] =
        (this.#buckets[bucket] as number) + (others.#buckets[bucket] as number);
    this.count += others.count;
    this.late += others.late;
    this.maxS = Math.max(this.maxS, others.maxS);
    this.#sumS += others.#sumS;
  }

  clear(): void {
    this.#buckets.fill(0);
    this.count = 0;
    this.late = 0;
    this.maxS = 0;
    this.#sumS = 0;
  }
}

function bucketOf(waitS: number): number {
  if (waitS < SHORTEST_S) return 0;
  return Math.min(BUCKETS - 1, 1 + Math.floor(Math.log(waitS / SHORTEST_S) / LOG_GROWTH));
}

const middleOf = (bucket: number) =>
  bucket === 0 ? 0 : SHORTEST_S * Math.exp((bucket - 0.5) * LOG_GROWTH);
