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
  /** What would be stored in the end, where that is bounded. */
  comesTo?: string;
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

/** What comes later than this is seen to in time. */
const MONTHS_AHEAD = 12;

/** GB after so many months like this one: what an engine's own purge takes no longer counts, what it leaves does. */
const storedAfter = (engines: readonly EngineUsage[], months: number) =>
  sum(engines, ({ storageGb, ownGb, ownRetentionMonths, ownKeptGb }) => {
    const kept = Math.max(0, months - ownRetentionMonths);
    return storageGb - ownGb + ownGb * Math.min(months, ownRetentionMonths) + ownKeptGb * kept;
  });

function postgresMisfit({ postgres }: Budget, engines: readonly EngineUsage[]): Misfit[] {
  const { maxStorageGb } = postgres;
  const quota = `postgres' ${maxStorageGb} GB`;
  const storage = storedAfter(engines, 1);
  if (storage > maxStorageGb)
    return [
      {
        quota,
        fullAfterMonths: maxStorageGb / storage,
        warning: `postgres: the quota is ${maxStorageGb} GB, and ${storage.toFixed(1)} GB are expected: when it is full the workers pause`,
      },
    ];
  if (storedAfter(engines, MONTHS_AHEAD) <= maxStorageGb) return [];
  let [fits, full] = [1, MONTHS_AHEAD];
  while (full - fits > 0.001) {
    const middle = (fits + full) / 2;
    if (storedAfter(engines, middle) <= maxStorageGb) fits = middle;
    else full = middle;
  }
  const retention = retentionOf(engines, maxStorageGb);
  return [
    {
      quota,
      fullAfterMonths: full,
      ...(retention.comesToGb < Infinity && { comesTo: `${Math.round(retention.comesToGb)} GB` }),
      warning: `postgres: ${retention.told}; the quota of ${maxStorageGb} GB is full after ${full.toFixed(1)} months, and then the workers pause: ${retention.advice}`,
    },
  ];
}

const monthsOf = (count: number) => (count === 1 ? "1 month" : `${count} months`);

/** For how long the engines keep rows of their own, what that comes to, and what would fit. */
function retentionOf(engines: readonly EngineUsage[], maxStorageGb: number) {
  const own = engines.filter(({ ownGb }) => ownGb > 0);
  const names = own.map(({ name }) => name).join(", ");
  const growth = `${sum(own, ({ ownGb }) => ownGb).toFixed(1)} GB a month`;
  const months = own.reduce((most, it) => Math.max(most, it.ownRetentionMonths), 0);
  const comesToGb = months < Infinity ? storedAfter(engines, months) : Infinity;
  const told =
    months < Infinity
      ? `${names} keeps its rows for ${monthsOf(months)}, ${growth}, so that ${comesToGb.toFixed(0)} GB are stored by then`
      : `${names} keeps its rows for ever, ${growth}`;
  const fitsWith = (ownRetentionMonths: number) =>
    storedAfter(
      engines.map((it) => ({ ...it, ownRetentionMonths })),
      MONTHS_AHEAD,
    ) <= maxStorageGb;
  let fitting = Math.min(months, MONTHS_AHEAD);
  while (fitting > 0 && !fitsWith(fitting)) fitting--;
  const advice =
    fitting === 0 || months === Infinity
      ? "raise it"
      : `raise it, or keep the rows for ${monthsOf(fitting)}, which fits for a year`;
  return { comesToGb, told, advice };
}

/** The quota that is full first; undefined where none is within a year. */
export const firstFull = (found: readonly Misfit[]): Misfit | undefined =>
  found.toSorted((a, b) => a.fullAfterMonths - b.fullAfterMonths)[0];
