/** What the cluster costs: its fee, its nodes, and what leaves it over the network. */

import type { Prices } from "../kubernetes/read/prices.ts";
import type { Budget } from "./budget.ts";
import type { Environment } from "./environment.ts";
import { type Line, line, lowest, sharesOf } from "./lines.ts";
import { HOURS_A_MONTH, type MonthUsage } from "./usage.ts";
import { packed, podsOf } from "./worst-pods.ts";

export interface Months {
  expected: MonthUsage;
  /** All replicas busy all month, as far as the storage quota lets them. */
  worst: MonthUsage;
  /** The same without that quota. */
  unguarded: MonthUsage;
}

/** 730 h × (cluster fee + nodes × node price). */
export function kubernetesLines(
  environment: Environment,
  budget: Budget,
  prices: Prices,
  { expected, worst, unguarded }: Months,
): Line[] {
  const { nodes, freeTier } = budget.kubernetes;
  const { kubernetes: asked } = prices;
  const nodeUsd =
    HOURS_A_MONTH *
    (nodes.vcpus * asked.vcpuUsdPerHour + nodes.memoryGib * asked.memoryUsdPerGibHour);
  const fee = HOURS_A_MONTH * asked.clusterUsdPerHour;
  const credit = freeTier ? Math.min(fee, asked.freeTierUsdPerMonth) : 0;
  const counts = nodesAtWorst(environment, budget);
  const sent = (month: MonthUsage) =>
    month.engines.reduce((sum, { sentGb }) => sum + sentGb, 0) * asked.egressUsdPerGb;
  const node = lowest([
    [counts.wanted, "maxReplicaCount"],
    [counts.quota, "ResourceQuota of the namespace"],
    [nodes.max, `node pool: at most ${nodes.max}`],
  ]);
  const egress = lowest([
    [sent(unguarded), "maxReplicaCount"],
    [sent(worst), "storage quota: a job leaves a row (repeats: alert only)"],
  ]);
  const shared = { part: "kubernetes" } as const;
  return [
    line({
      ...shared,
      what: freeTier ? "cluster fee, less the free tier" : "cluster fee",
      expectedUsd: fee - credit,
      worstUsd: fee - credit,
      unguardedUsd: fee - credit,
      guard: "fixed",
    }),
    line({
      ...shared,
      what: `nodes, ${node.amount} at $${nodeUsd.toFixed(2)}`,
      expectedUsd: (expected.nodeHours / HOURS_A_MONTH) * nodeUsd,
      worstUsd: node.amount * nodeUsd,
      unguardedUsd: counts.wanted * nodeUsd,
      guard: node.guard,
      shares: {
        expected: sharesOf(expected.engines, cpuHours, expected.nodeHours * nodes.podCpu),
        worst: sharesOf(worst.engines, cpuHours, node.amount * HOURS_A_MONTH * nodes.podCpu),
      },
    }),
    line({
      ...shared,
      what: "egress to the services",
      expectedUsd: sent(expected),
      worstUsd: egress.amount,
      unguardedUsd: sent(unguarded),
      guard: egress.guard,
      shares: {
        expected: sharesOf(expected.engines, ({ sentGb }) => sentGb),
        worst: sharesOf(worst.engines, ({ sentGb }) => sentGb),
      },
    }),
  ];
}

const cpuHours = (usage: { cpuHours: number }) => usage.cpuHours;

/** Nodes that the pods at worst fill, without a limit and within the quota; never below the pool's minimum. */
export function nodesAtWorst(
  { engines, setup, quota }: Environment,
  { kubernetes: { nodes } }: Budget,
): { wanted: number; quota: number; steady: number } {
  const groups = [...engines.map(({ group }) => group), ...setup];
  const pods = groups.map((group) => ({ count: podsOf(group), size: group.size }));
  const steady = groups.map(({ steady, size }) => ({ count: steady, size }));
  const atLeast = (count: number) => Math.max(nodes.min, count);
  return {
    wanted: atLeast(packed(pods, nodes)),
    quota: atLeast(packed(pods, nodes, quota)),
    steady: atLeast(packed(steady, nodes)),
  };
}
