/** Where the expected load does not fit into what is paid for: the bill stays, the jobs don't. */

import type { Prices } from "../kubernetes/read/prices.ts";
import type { Budget } from "./budget.ts";
import { messages, redisCommands } from "./service-lines.ts";
import type { EngineUsage } from "./usage.ts";

const sum = (engines: readonly EngineUsage[], figure: (usage: EngineUsage) => number) =>
  engines.reduce((total, usage) => total + figure(usage), 0);
const millions = (count: number) => `${(count / 1e6).toFixed(1)} M`;

/** A quota that the expected load fills. */
export interface Misfit {
  quota: string;
  /** From an empty month on; under 1 where a single month is too much. */
  fullAfterMonths: number;
  /** What then happens. */
  warning: string;
}

export function misfits(budget: Budget, prices: Prices, engines: readonly EngineUsage[]): Misfit[] {
  return [
    ...brokerMisfit(budget, prices, engines),
    ...redisMisfit(budget, prices, engines),
    ...postgresMisfit(budget, engines),
  ];
}

function brokerMisfit(
  { broker }: Budget,
  prices: Prices,
  engines: readonly EngineUsage[],
): Misfit[] {
  const limit = prices.broker.plans[broker.plan]?.messagesPerMonth ?? Infinity;
  const published = sum(engines, messages);
  if (published <= limit) return [];
  return [
    {
      quota: `the broker's ${millions(limit)} messages a month`,
      fullAfterMonths: limit / published,
      warning: `the broker's plan takes ${millions(limit)} messages a month, and ${millions(published)} are expected: jobs wait at their publishers`,
    },
  ];
}

function redisMisfit({ redis }: Budget, prices: Prices, engines: readonly EngineUsage[]): Misfit[] {
  const plan = prices.redis.plans[redis.plan];
  const each = (plan?.usdPer100kCommands ?? 0) / 100_000;
  const paid = (redis.monthlyBudgetUsd ?? Infinity) - (plan?.usdPerMonth ?? 0);
  const limit = Math.min(each > 0 ? paid / each : Infinity, plan?.commandsPerMonth ?? Infinity);
  const commands = sum(engines, redisCommands);
  if (commands <= limit) return [];
  return [
    {
      quota: `redis' ${millions(limit)} commands a month`,
      fullAfterMonths: limit / commands,
      warning: `redis: the limit is ${millions(limit)} commands a month, and ${millions(commands)} are expected: after that it counts as down, and the fleet goes on slower`,
    },
  ];
}

/** What an engine keeps for ever fills any quota; for a year is long enough to see it come. */
const MONTHS_AHEAD = 12;

function postgresMisfit({ postgres }: Budget, engines: readonly EngineUsage[]): Misfit[] {
  const { maxStorageGb } = postgres;
  const quota = `postgres' ${maxStorageGb} GB`;
  const storage = sum(engines, ({ storageGb }) => storageGb);
  if (storage > maxStorageGb)
    return [
      {
        quota,
        fullAfterMonths: maxStorageGb / storage,
        warning: `postgres: the quota is ${maxStorageGb} GB, and ${storage.toFixed(1)} GB are expected: when it is full the workers pause`,
      },
    ];
  const own = engines.filter(({ ownGb }) => ownGb > 0);
  const growthGb = sum(own, ({ ownGb }) => ownGb);
  // The first month's growth is in its storage already.
  const months = 1 + (maxStorageGb - storage) / growthGb;
  if (growthGb === 0 || months >= MONTHS_AHEAD) return [];
  return [
    {
      quota,
      fullAfterMonths: months,
      warning: `postgres: ${own.map(({ name }) => name).join(", ")} keeps its rows for ever, ${growthGb.toFixed(1)} GB a month; the quota of ${maxStorageGb} GB is full after ${months.toFixed(1)} months, and then the workers pause`,
    },
  ];
}

/** The quota that is full first; undefined where none is within a year. */
export const firstFull = (found: readonly Misfit[]): Misfit | undefined =>
  found.toSorted((a, b) => a.fullAfterMonths - b.fullAfterMonths)[0];
