/** Random walks of future throughput: what one possible future of a scope's pace looks like. */

/** The farthest day that a simulation looks at. */
export const MAX_FORECAST_DAYS = 1_826;

/**
 * How unsteady the pace is: the standard deviation of its logarithm, at the start and added each
 * week, and how much of it stays from one week to the next. See {@link walker}.
 */
const PACE = { startSigma: 0.3, weeklySigma: 0.4, persistence: 0.9 };

/** Days count half for each quarter of the history that they are old. */
const HALF_LIVES_PER_HISTORY = 4;
const TABLE_SIZE = 4_096;

export type Random = () => number;

/** Uniform numbers in [0, 1): sfc32 by Chris Doty-Humphrey (PractRand). Equal seeds give equal sequences. */
export function seededRandom(seed: number, stream = 0): Random {
  let a = 0x9e3779b9 | 0;
  let b = stream | 0;
  let c = seed | 0;
  let counter = 1;
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 4_294_967_296;
  };
  for (let i = 0; i < 15; i++) next();
  return next;
}

/** The history as a table to draw days from, recent days more often; its newest day is the last element. */
function recencyTable(history: ArrayLike<number>): Int32Array {
  const halfLifeDays = history.length / HALF_LIVES_PER_HISTORY;
  const weight = (day: number) => 2 ** (-(history.length - 1 - day) / halfLifeDays);
  let total = 0;
  for (let day = 0; day < history.length; day++) total += weight(day);
  const table = new Int32Array(TABLE_SIZE);
  let day = 0;
  let reached = weight(0);
  for (let i = 0; i < TABLE_SIZE; i++) {
    while (day < history.length - 1 && reached < ((i + 0.5) / TABLE_SIZE) * total)
      reached += weight(++day);
    table[i] = history[day] as number;
  }
  return table;
}

/** Standard normal numbers, by Box and Muller. */
function normal(random: Random): Random {
  let spare: number | null = null;
  return () => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

/**
 * Walks into one possible future and returns the day (1 is the first) on which `target` items were
 * done, or `days + 1` if that took longer. Where `record` is given, the sum at the end of each day
 * up to then is written to it.
 */
export type Walk = (days: number, target: number, record?: Int32Array) => number;

/**
 * Makes the walks from a history of items finished per day.
 *
 * Drawing days at random from the history, as is usual, takes tomorrow's pace to be the past's and
 * the days to be independent. Real teams drift, so that such forecasts promise too much: over four
 * weeks of a real tracker an interval meant to hold 85 % of the outcomes held 58 to 78 %. Here
 * recent days weigh more, and the clock of each walk runs faster or slower by a factor that is
 * itself uncertain from the start and changes every week: its logarithm is an autoregressive
 * process of first order. The factor stretches time, so whole items stay whole, and its effect
 * grows with the horizon as the drift's does.
 */
export function walker(history: ArrayLike<number>, random: Random): Walk {
  const table = recencyTable(history);
  const gauss = normal(random);
  return (days, target, record) => {
    let logPace = PACE.startSigma * gauss();
    let pace = Math.exp(logPace);
    let clock = random();
    let done = 0;
    for (let day = 1; day <= days; day++) {
      clock += pace;
      for (; clock >= 1; clock--) done += table[(random() * TABLE_SIZE) | 0] as number;
      if (record) record[day - 1] = done;
      if (done >= target) return day;
      if (day % 7 === 0) {
        logPace = PACE.persistence * logPace + PACE.weeklySigma * gauss();
        pace = Math.exp(logPace);
      }
    }
    return days + 1;
  };
}
