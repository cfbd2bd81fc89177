/** The monthly bill of an environment, beside its budget. */

import type { Prices } from "../kubernetes/read/prices.ts";
import { loadOf } from "../scaling/simulate/loads.ts";
import { simulate } from "../scaling/simulate/simulate.ts";
import { type Budget, budgetFile } from "./budget.ts";
import type { Environment } from "./environment.ts";
import { kubernetesLines, type Months, nodesAtWorst } from "./kubernetes-lines.ts";
import type { Line } from "./lines.ts";
import { type Misfit, misfits } from "./misfits.ts";
import { serviceLines } from "./service-lines.ts";
import { type EngineUsage, expectedUsage, fullUsage } from "./usage.ts";

export interface Bill {
  environment: string;
  jobsPerDay: number;
  lines: Line[];
  engines: EngineBill[];
  expectedUsd: number;
  worstUsd: number;
  unguardedUsd: number;
  /** By part, and `seedUsd`: what the project set out with, from and to. */
  parts: Part[];
  budgetUsd: number;
  /** Why the environment is not within its budget; none where it is. */
  excesses: string[];
  /** What months like the simulated days would run into, though the bill is bounded. */
  misfits: Misfit[];
  months: Months;
}

export interface Part {
  part: Line["part"];
  expectedUsd: number;
  worstUsd: number;
  budgetUsd: number;
  seedUsd: readonly [number, number];
}

/** One engine's own part of all lines; `shared` is what belongs to all. */
export interface EngineBill {
  engine: string;
  jobs: number;
  expectedUsd: number;
  worstUsd: number;
}

const SEED_USD = { kubernetes: [70, 150], services: [25, 74] } as const;
const SIMULATED_DAYS = 7;

export interface BillOptions {
  jobsPerDay: number;
  /** Days that are simulated, of which the month is made. Default 7: a whole week, from Monday. */
  days?: number;
  seed?: string;
}

export function billOf(
  environment: Environment,
  budget: Budget,
  prices: Prices,
  options: BillOptions,
): Bill {
  const months = monthsOf(environment, budget, prices, options);
  const lines = [
    ...kubernetesLines(environment, budget, prices, months),
    ...serviceLines(budget, prices, months),
  ];
  const parts = (["kubernetes", "services"] as const).map((part) => {
    const own = lines.filter((line) => line.part === part);
    return {
      part,
      expectedUsd: total(own, "expectedUsd"),
      worstUsd: total(own, "worstUsd"),
      budgetUsd: part === "kubernetes" ? budget.kubernetesUsd : budget.servicesUsd,
      seedUsd: SEED_USD[part],
    };
  });
  return {
    environment: environment.name,
    jobsPerDay: options.jobsPerDay,
    lines,
    engines: byEngine(lines, months.expected.engines),
    expectedUsd: total(lines, "expectedUsd"),
    worstUsd: total(lines, "worstUsd"),
    unguardedUsd: total(lines, "unguardedUsd"),
    parts,
    budgetUsd: budget.kubernetesUsd + budget.servicesUsd,
    excesses: [...overBudget(environment.name, parts), ...overPool(environment, budget)],
    misfits: misfits(budget, prices, months.expected.engines),
    months,
  };
}

const total = (lines: readonly Line[], figure: "expectedUsd" | "worstUsd" | "unguardedUsd") =>
  lines.reduce((sum, line) => sum + line[figure], 0);

function monthsOf(
  { engines }: Environment,
  budget: Budget,
  prices: Prices,
  { jobsPerDay, days = SIMULATED_DAYS, seed }: BillOptions,
): Months {
  const { podCpu, podMemoryGib, min, max } = budget.kubernetes.nodes;
  const result = simulate({
    engines: engines.map(({ simulated }) => simulated),
    load: loadOf("1m", { jobs: jobsPerDay, days }),
    cluster: { nodeCpu: podCpu, nodeMemoryGib: podMemoryGib, minNodes: min, maxNodes: max },
    ...(seed && { seed }),
  });
  return {
    expected: expectedUsage(result, engines, prices, budget),
    worst: fullUsage(engines, prices, budget, true),
    unguarded: fullUsage(engines, prices, budget, false),
  };
}

function byEngine(lines: readonly Line[], engines: readonly EngineUsage[]): EngineBill[] {
  const bills = engines.map(({ name, jobs }) => {
    const own = (which: "expected" | "worst") =>
      lines.reduce((sum, line) => sum + (line.shares?.[which][name] ?? 0) * line[`${which}Usd`], 0);
    return { engine: name, jobs, expectedUsd: own("expected"), worstUsd: own("worst") };
  });
  const rest = (figure: "expectedUsd" | "worstUsd") =>
    Math.max(0, total(lines, figure) - bills.reduce((sum, bill) => sum + bill[figure], 0));
  return [
    ...bills,
    { engine: "shared", jobs: 0, expectedUsd: rest("expectedUsd"), worstUsd: rest("worstUsd") },
  ];
}

/** Cents are no reason to fail. */
const CENT = 0.005;
export const usd = (value: number) =>
  `$${value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;

const overBudget = (environment: string, parts: readonly Part[]): string[] =>
  parts
    .filter(({ worstUsd, budgetUsd }) => worstUsd > budgetUsd + CENT)
    .map(
      ({ part, worstUsd, budgetUsd }) =>
        `${part} can cost ${usd(worstUsd)} and ${budgetFile(environment)} allows ${usd(budgetUsd)}: lower maxReplicaCount or a limit, or raise ${part}Usd`,
    );

/** Replicas that the paid-for nodes never have room for: the budget does not pay for that maxReplicaCount. */
function overPool(environment: Environment, budget: Budget): string[] {
  const { steady } = nodesAtWorst(environment, budget);
  const { max } = budget.kubernetes.nodes;
  if (steady <= max) return [];
  return environment.engines
    .toSorted((a, b) => b.group.steady - a.group.steady)
    .slice(0, 1)
    .map(({ simulated: { scaledObject }, group }) => {
      const { file, lineOf } = scaledObject.source;
      return `${file}:${lineOf(["spec", "maxReplicaCount"])}: ${group.name} may have ${group.steady} replicas; all engines at their maximum fill ${steady} nodes, and the budget pays for ${max}: lower maxReplicaCount, or raise kubernetes.nodes.max and kubernetesUsd in ${budgetFile(environment.name)}`;
    });
}
