/** Seeded random numbers, so that a plan, a generated history, a shuffle or a picture can be made again. */

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Whole number in [0, below). */
  below(below: number): number;
  /** Whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  /** Normal deviate of mean 0 and deviation 1 (Box and Muller, 1958). */
  normal(): number;
  /** exp(normal) of that median; `sigma` is the deviation of the logarithm. */
  logNormal(median: number, sigma: number): number;
  /** @throws {RangeError} of an empty list. */
  oneOf<Item>(items: readonly Item[]): Item;
  /** A key of the table, with a probability in proportion to its weight. */
  pick<Key extends string>(weights: Readonly<Record<Key, number>>): Key;
  /** A shuffled copy (Fisher and Yates). */
  shuffle<Item>(items: readonly Item[]): Item[];
}

/** A run with this seed: text, or the number of a plan. */
export function randomFrom(seed: string | number): Random {
  const next = typeof seed === "number" ? mulberry32(seed) : sfc32(seed);
  const below = (limit: number) => Math.floor(next() * limit);
  const between = (low: number, high: number) => low + below(high - low + 1);
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return {
    next,
    below,
    between,
    chance: (probability) => next() < probability,
    normal,
    logNormal: (median, sigma) => median * Math.exp(sigma * normal()),
    oneOf(items) {
      if (items.length === 0) throw new RangeError("nothing to choose from");
      return items[below(items.length)] as (typeof items)[number];
    },
    pick: (weights) => pick(weights, next()),
    shuffle(items) {
      const shuffled = [...items];
      for (let last = shuffled.length - 1; last > 0; last--) {
        const other = between(0, last);
        [shuffled[last], shuffled[other]] = [
          shuffled[other] as (typeof items)[number],
          shuffled[last] as (typeof items)[number],
        ];
      }
      return shuffled;
    },
  };
}

function pick<Key extends string>(weights: Readonly<Record<Key, number>>, fraction: number): Key {
  const keys = Object.keys(weights) as Key[];
  let total = 0;
  for (const key of keys) total += weights[key];
  let rest = fraction * total;
  for (const key of keys) {
    rest -= weights[key];
    if (rest < 0) return key;
  }
  const last = keys.at(-1);
  if (last === undefined) throw new RangeError("pick: the table is empty");
  return last;
}

/**
 * sfc32, the small fast counting generator of Chris Doty-Humphrey's PractRand (public domain,
 * https://pracrand.sourceforge.net/RNG_engines.txt): 128 bits of state, period at least 2^32,
 * no known failure in PractRand or TestU01. The seed's characters are hashed by FNV-1a.
 */
function sfc32(seed: string): () => number {
  let a = fnv1a(seed, 0x811c9dc5);
  let b = fnv1a(seed, 0x9e3779b9);
  let c = fnv1a(seed, 0x85ebca6b);
  let counter = 1;
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return (sum >>> 0) / 4_294_967_296;
  };
  // The author's advice: the first 12 outputs still show the seed.
  for (let round = 0; round < 12; round++) next();
  return next;
}

/** Mulberry32, by Tommy Ettinger (public domain): 32 bits of state, enough for a plan of faults. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** http://www.isthe.com/chongo/tech/comp/fnv/ over UTF-16 code units. */
function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}
