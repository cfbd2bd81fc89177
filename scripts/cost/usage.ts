/** What a month uses of each service: as simulated, and with every replica busy all the time. */

import type { Prices } from "../kubernetes/read/prices.ts";
import { perMonth, type Result } from "../scaling/simulate/result.ts";
import type { SimulatedEngine } from "../scaling/simulate/simulated-engine.ts";
import type { Budget } from "./budget.ts";
import type { Autoscaled } from "./environment.ts";

export const HOURS_A_MONTH = 730;
export const DAYS_A_MONTH = HOURS_A_MONTH / 24;
const SECONDS_A_MONTH = HOURS_A_MONTH * 3_600;

/** A month of one engine. */
export interface EngineUsage {
  name: string;
  jobs: number;
  /** CPU-hours that its pods request. */
  cpuHours: number;
  redisCommands: number;
  messages: number;
  /** GB at the month's end. */
  storageGb: number;
  /** Of it, what this month's jobs add to the engine's own tables. */
  ownGb: number;
  /** Months after which the engine purges that (Infinity: never), and what stays of it for ever all the same. */
  ownRetentionMonths: number;
  ownKeptGb: number;
  /** GB of change history, kept for the restore window, on average. */
  historyGb: number;
  sentGb: number;
}

export interface MonthUsage {
  engines: EngineUsage[];
  nodeHours: number;
  /** Hours in which Postgres is awake. */
  postgresHours: number;
}

type Basis = { jobs: number; starts: number; cpuHours: number };

type OwnTables = Pick<
  SimulatedEngine,
  "name" | "ownBytesPerJob" | "ownRetentionMonths" | "ownBytesPerJobKept"
>;

function engineUsage(
  { name, ownBytesPerJob, ownRetentionMonths, ownBytesPerJobKept }: OwnTables,
  basis: Basis,
  prices: Prices,
  budget: Budget,
): EngineUsage {
  const { measured } = prices;
  const { jobs, starts, cpuHours } = basis;
  const { retentionDays, restoreDays } = budget.postgres;
  const resultsKept = jobs * (retentionDays / DAYS_A_MONTH);
  const ownGb = (jobs * ownBytesPerJob) / 1e9;
  return {
    name,
    jobs,
    cpuHours,
    redisCommands: jobs * measured.redisCommandsPerJob + starts * measured.redisCommandsPerStart,
    messages: jobs * measured.messagesPerJob,
    storageGb: (resultsKept * measured.resultRowBytes) / 1e9 + ownGb,
    ownGb,
    ownRetentionMonths,
    ownKeptGb: (jobs * ownBytesPerJobKept) / 1e9,
    historyGb: (jobs * measured.walBytesPerJob * Math.min(1, restoreDays / DAYS_A_MONTH)) / 1e9,
    sentGb: (jobs * measured.sentBytesPerJob) / 1e9,
  };
}

/** A month like the simulated days. */
export function expectedUsage(
  result: Result,
  engines: readonly Autoscaled[],
  prices: Prices,
  budget: Budget,
): MonthUsage {
  const month = perMonth(result);
  return {
    engines: result.engines.map(({ engine, done, podsStarted, podHours }) => {
      const { simulated, group } = engines.find((it) => it.simulated.name === engine) as Autoscaled;
      const basis = {
        jobs: done * month,
        starts: podsStarted * month,
        cpuHours: podHours * group.size.cpu * month,
      };
      return engineUsage(simulated, basis, prices, budget);
    }),
    nodeHours: result.nodeHours * month,
    postgresHours: awakeHours(result, prices.postgres.suspendAfterMinutes) * month,
  };
}

/** Hours with a commit, and those until Postgres suspends after the last one. */
export function awakeHours({ engines, durationS }: Result, suspendAfterMinutes: number): number {
  const binS = engines[0]?.series.binS ?? durationS;
  const bins = Math.ceil(durationS / binS);
  let [awakeS, awakeUntilS] = [0, 0];
  for (let bin = 0; bin < bins; bin++) {
    if (engines.every(({ series }) => (series.donePerS[bin] ?? 0) === 0)) continue;
    const [fromS, untilS] = [bin * binS, (bin + 1) * binS + suspendAfterMinutes * 60];
    awakeS += untilS - Math.max(fromS, awakeUntilS);
    awakeUntilS = untilS;
  }
  return Math.min(awakeS, durationS) / 3_600;
}

/**
 * Every replica busy all month. `jobsLimit` is what the storage quota lets through: each job leaves a
 * row, so when no row fits any more the workers pause and nothing else is used either.
 */
export function fullUsage(
  engines: readonly Autoscaled[],
  prices: Prices,
  budget: Budget,
  limited: boolean,
): MonthUsage {
  const fleet = engines.map(({ simulated, group }) => ({
    simulated,
    jobs: simulated.jobsPerSecond * group.steady * SECONDS_A_MONTH,
    cpuHours: group.steady * group.size.cpu * HOURS_A_MONTH,
    starts: group.steady,
  }));
  const all = fleet.reduce((sum, { jobs }) => sum + jobs, 0);
  const share = limited && all > 0 ? Math.min(1, jobsLimit(prices, budget) / all) : 1;
  return {
    engines: fleet.map(({ simulated, jobs, ...rest }) =>
      engineUsage(simulated, { jobs: jobs * share, ...rest }, prices, budget),
    ),
    nodeHours: 0,
    postgresHours: HOURS_A_MONTH,
  };
}

/** Rows that fit in a month into the quota; those that the purge removes make room. */
export function jobsLimit(prices: Prices, { postgres }: Budget): number {
  const rows = (postgres.maxStorageGb * 1e9) / prices.measured.resultRowBytes;
  return rows * Math.max(1, DAYS_A_MONTH / postgres.retentionDays);
}
