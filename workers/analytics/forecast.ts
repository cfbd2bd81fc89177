/** Monte Carlo forecasts (when will it be done, how much by then), and how well they did in the past. */

import type { Steps } from "@tl-engine/shared";
import { addDays, daysBetween } from "./days.ts";
import { percentile } from "./percentile.ts";
import type { Forecast, ForecastInput } from "./schemas.ts";
import { MAX_FORECAST_DAYS, seededRandom, walker } from "./simulate.ts";

/** Back-tests: horizons, the coverage that is meant, and their size. */
const HORIZONS_DAYS = [14, 28] as const;
const NOMINAL_PERCENT = 85;
const BACKTEST = { everyDays: 7, minHistoryDays: 90, simulations: 400, tests: 260 };

/** A fan for a chart: bounds of the number done, by day from the first forecast day. */
export interface Fan {
  /** For each confidence in percent, lowest first: what the sum is at least and at most on each day. */
  bands: { percent: number; low: number[]; high: number[] }[];
  median: number[];
}

/** A forecast with what its chart needs: the fan, and the items finished per day up to `from`. */
export interface Ahead {
  forecast: Forecast;
  /** Computed on demand: only a chart wants it. */
  fan(): Steps<Fan>;
  perDay: Float64Array;
}

/** With this confidence in percent the value is at least the result. `sorted` rises and is not empty. */
function atLeast(sorted: ArrayLike<number>, percent: number): number {
  const rank = Math.ceil(Number(((percent / 100) * sorted.length).toFixed(9)));
  return sorted[sorted.length - Math.max(rank, 1)] as number;
}

/**
 * Forecasts from the items finished per day up to and including `from`.
 *
 * *When*: with the confidence asked for, the remaining items are done by the end of `date`.
 * *How many*: with it, at least so many items are done by the end of `until`. Both are nearest-rank
 * percentiles of the simulations.
 */
export function* forecast(
  perDay: ArrayLike<number> & { slice(from: number): ArrayLike<number> },
  from: string,
  remaining: number,
  input: ForecastInput,
): Steps<Pick<Ahead, "forecast" | "fan">> {
  const { until, simulations, seed, historyDays, percentiles } = input;
  const history = perDay.slice(Math.max(0, perDay.length - historyDays));
  const horizonDays = until === undefined ? MAX_FORECAST_DAYS : daysBetween(from, until);
  const target = until === undefined ? remaining : Number.POSITIVE_INFINITY;
  // Without a finished item in the history nothing will ever be done: no need to simulate it.
  const idle = Array.prototype.every.call(history, (count) => count === 0);
  const outcomes = idle
    ? new Int32Array(simulations).fill(
        until === undefined && remaining > 0 ? MAX_FORECAST_DAYS + 1 : 0,
      )
    : yield* simulate(history, simulations, seed, horizonDays, target);
  return {
    forecast: {
      from,
      question: until === undefined ? "when" : "how many",
      remaining: until === undefined ? remaining : null,
      until: until ?? null,
      simulations,
      historyDays: history.length,
      percentiles: percentiles.map((percent) => {
        if (until !== undefined) return { percentile: percent, items: atLeast(outcomes, percent) };
        const days = percentile(outcomes, percent) as number;
        const known = days <= MAX_FORECAST_DAYS;
        return {
          percentile: percent,
          days: known ? days : null,
          date: known ? addDays(from, days) : null,
        };
      }),
      calibration: yield* calibrate(perDay, historyDays, seed),
    },
    fan: () =>
      fanOf(
        idle ? [0] : history,
        seed,
        // Wide enough for every date that is told: a headline beyond the axis could not be checked by eye.
        until === undefined ? lastDay(outcomes, percentiles) : horizonDays,
        target,
      ),
  };
}

/** The last day that the fan needs: of the answers that are known, and of 95 % of the futures. */
function lastDay(outcomes: Int32Array, percentiles: readonly number[]): number {
  const days = [95, ...percentiles].map((percent) => percentile(outcomes, percent) as number);
  return Math.max(...days.map((day) => Math.min(day, MAX_FORECAST_DAYS)));
}

/** Sorted outcomes: days needed for the target, or the items done where there is none. */
export function* simulate(
  history: ArrayLike<number>,
  simulations: number,
  seed: number,
  days: number,
  target: number,
): Steps<Int32Array> {
  const walk = walker(history, seededRandom(seed));
  const outcomes = new Int32Array(simulations);
  const sums = target === Number.POSITIVE_INFINITY ? new Int32Array(days) : undefined;
  for (let i = 0; i < simulations; i++) {
    yield;
    const day = target <= 0 ? 0 : walk(days, target, sums);
    outcomes[i] = sums ? (sums[days - 1] as number) : day;
  }
  return outcomes.sort();
}

/**
 * Forecasts from past days whose outcome is known by now, and counts how often it lay inside of the
 * interval: once a week, back from the last day, at most five years. Only what was before such a day
 * goes into its forecast; the history itself is today's (an item reopened since is not in it).
 */
export function* calibrate(
  perDay: ArrayLike<number> & { slice(from: number, to?: number): ArrayLike<number> },
  historyDays: number,
  seed: number,
): Steps<Forecast["calibration"]> {
  const longestDays = Math.max(...HORIZONS_DAYS);
  const counts = HORIZONS_DAYS.map((horizonDays) => ({
    horizonDays,
    tests: 0,
    covered: 0,
    oneSided: 0,
  }));
  const record = new Int32Array(longestDays);
  for (let test = 0; test < BACKTEST.tests; test++) {
    const origin = perDay.length - HORIZONS_DAYS[0] - test * BACKTEST.everyDays;
    if (origin < BACKTEST.minHistoryDays) break;
    const walk = walker(
      perDay.slice(Math.max(0, origin - historyDays), origin),
      seededRandom(seed, test + 1),
    );
    yield;
    const sums = counts.map(() => new Int32Array(BACKTEST.simulations));
    for (let i = 0; i < BACKTEST.simulations; i++) {
      walk(longestDays, Number.POSITIVE_INFINITY, record);
      counts.forEach(({ horizonDays }, h) => {
        (sums[h] as Int32Array)[i] = record[horizonDays - 1] as number;
      });
    }
    counts.forEach((count, h) => {
      if (origin + count.horizonDays > perDay.length) return;
      const sorted = (sums[h] as Int32Array).sort();
      let actual = 0;
      for (let day = origin; day < origin + count.horizonDays; day++)
        actual += perDay[day] as number;
      const tail = 50 + NOMINAL_PERCENT / 2;
      count.tests++;
      if (actual >= atLeast(sorted, tail) && actual <= (percentile(sorted, tail) as number))
        count.covered++;
      if (actual >= atLeast(sorted, NOMINAL_PERCENT)) count.oneSided++;
    });
  }
  return counts.map(({ horizonDays, tests, covered, oneSided }) => ({
    horizonDays,
    nominal: NOMINAL_PERCENT / 100,
    tests,
    covered: tests === 0 ? null : covered / tests,
    coveredOneSided: tests === 0 ? null : oneSided / tests,
  }));
}

/** Bounds by day up to the horizon; for *when*, to the day by which 95 % of the simulations were done, or the last one answered. */
function* fanOf(
  history: ArrayLike<number>,
  seed: number,
  horizonDays: number,
  target: number,
): Steps<Fan> {
  const days = Math.max(1, Math.min(horizonDays, MAX_FORECAST_DAYS));
  const walk = walker(history, seededRandom(seed));
  const paths: Int32Array[] = [];
  for (let i = 0; i < 1_000; i++) {
    yield;
    const record = new Int32Array(days);
    const reached = walk(days, target, record);
    paths.push(reached < days ? record.fill(target, reached - 1) : record);
  }
  const fan: Fan = {
    median: [],
    bands: [50, 85, 95].map((percent) => ({ percent, low: [], high: [] })),
  };
  for (let day = 0; day < days; day++) {
    yield;
    const sums = Int32Array.from(paths, (path) => Math.min(path[day] as number, target)).sort();
    fan.median.push(percentile(sums, 50) as number);
    for (const { percent, low, high } of fan.bands) {
      low.push(atLeast(sums, 50 + percent / 2));
      high.push(percentile(sums, 50 + percent / 2) as number);
    }
  }
  return fan;
}
