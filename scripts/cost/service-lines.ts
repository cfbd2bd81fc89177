/** What the services that the jobs use cost: broker, Redis, Postgres, and those that no engine uses yet. */

import type { Prices } from "../kubernetes/read/prices.ts";
import type { Budget } from "./budget.ts";
import type { Months } from "./kubernetes-lines.ts";
import { type Line, line, lowest, sharesOf } from "./lines.ts";
import { type EngineUsage, HOURS_A_MONTH, type MonthUsage } from "./usage.ts";

const SECONDS_A_MONTH = HOURS_A_MONTH * 3_600;

const sum = ({ engines }: MonthUsage, figure: (usage: EngineUsage) => number) =>
  engines.reduce((total, usage) => total + figure(usage), 0);

const sharesBy = ({ expected, worst }: Months, figure: (usage: EngineUsage) => number) => ({
  expected: sharesOf(expected.engines, figure),
  worst: sharesOf(worst.engines, figure),
});

export function serviceLines(budget: Budget, prices: Prices, months: Months): Line[] {
  return [
    brokerLine(budget, prices),
    redisLine(budget, prices, months),
    ...postgresLines(budget, prices, months),
    unusedLine(`object storage at $${prices.objectStorage.usdPerGbMonth} a GB`),
    unusedLine(`product analytics at $${prices.productAnalytics.usdPerEvent} an event`),
  ];
}

function brokerLine({ broker: { plan } }: Budget, prices: Prices): Line {
  const usd = prices.broker.plans[plan]?.usdPerMonth ?? 0;
  return line({
    part: "services",
    what: `broker, plan ${plan}`,
    expectedUsd: usd,
    worstUsd: usd,
    unguardedUsd: usd,
    guard: "the plan has one price",
  });
}

export const redisCommands = ({ redisCommands }: EngineUsage) => redisCommands;
export const messages = ({ messages }: EngineUsage) => messages;

function redisLine({ redis }: Budget, prices: Prices, months: Months): Line {
  const plan = prices.redis.plans[redis.plan];
  const base = plan?.usdPerMonth ?? 0;
  const each = (plan?.usdPer100kCommands ?? 0) / 100_000;
  const given = { part: "services", what: `redis, plan ${redis.plan}` } as const;
  if (each === 0)
    return line({
      ...given,
      expectedUsd: base,
      worstUsd: base,
      unguardedUsd: base,
      guard: "the plan has one price (its auto-upgrade must be off)",
    });
  const usd = (commands: number) => base + commands * each;
  const bound = lowest([
    [usd(sum(months.unguarded, redisCommands)), "maxReplicaCount"],
    // Not the storage quota: repeats of a job that is done cost commands and leave no row.
    [usd((plan?.commandsPerSecond ?? Infinity) * SECONDS_A_MONTH), "the plan's commands a second"],
    [redis.monthlyBudgetUsd ?? Infinity, "the database's monthly budget"],
  ]);
  return line({
    ...given,
    expectedUsd: usd(sum(months.expected, redisCommands)),
    worstUsd: bound.amount,
    unguardedUsd: usd(sum(months.unguarded, redisCommands)),
    guard: bound.guard,
    shares: sharesBy(months, redisCommands),
  });
}

const storageGb = ({ storageGb }: EngineUsage) => storageGb;
const historyGb = ({ historyGb }: EngineUsage) => historyGb;

function postgresLines({ postgres }: Budget, { postgres: asked }: Prices, months: Months): Line[] {
  const { maxCu, maxStorageGb, restoreDays } = postgres;
  const computeUsd = (hours: number) => hours * maxCu * asked.usdPerCuHour;
  const storage = lowest([
    [sum(months.unguarded, storageGb), "maxReplicaCount"],
    [maxStorageGb, `project quota: ${maxStorageGb} GB`],
  ]);
  const history = lowest([
    [sum(months.unguarded, historyGb), "maxReplicaCount"],
    [sum(months.worst, historyGb), `the same quota, restore window of ${restoreDays} d`],
  ]);
  return [
    line({
      part: "services",
      what: `postgres compute, ${maxCu} CU`,
      expectedUsd: computeUsd(months.expected.postgresHours),
      worstUsd: computeUsd(HOURS_A_MONTH),
      unguardedUsd: computeUsd(HOURS_A_MONTH),
      guard: `compute's maximum: ${maxCu} CU`,
    }),
    storedLine("postgres storage", storageGb, asked.usdPerStorageGbMonth, storage, months),
    storedLine(
      "postgres history for restores",
      historyGb,
      asked.usdPerHistoryGbMonth,
      history,
      months,
    ),
  ];
}

/** What is billed by the gigabyte; `bound` is the most there can be of it, in GB, and what sees to that. */
function storedLine(
  what: string,
  figure: (usage: EngineUsage) => number,
  usdPerGb: number,
  bound: ReturnType<typeof lowest>,
  months: Months,
): Line {
  return line({
    part: "services",
    what,
    expectedUsd: sum(months.expected, figure) * usdPerGb,
    worstUsd: bound.amount * usdPerGb,
    unguardedUsd: sum(months.unguarded, figure) * usdPerGb,
    guard: bound.guard,
    shares: sharesBy(months, figure),
  });
}

function unusedLine(what: string): Line {
  return {
    part: "services",
    what,
    expectedUsd: 0,
    worstUsd: 0,
    unguardedUsd: 0,
    guard: "no engine uses it",
  };
}
