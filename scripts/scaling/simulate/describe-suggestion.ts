/** Suggestions for a terminal: what to write into keda/<engine>.yaml, and what it changes. */
import { renderTable } from "../../show/terminal/table.ts";
import { dollars, duration } from "./report.ts";
import type { Parameters, Suggestion } from "./suggest.ts";

/** Where each parameter stands in a ScaledObject. */
const PATHS: Readonly<Record<keyof Parameters, string>> = {
  value: "triggers[0].metadata.value",
  minReplicaCount: "minReplicaCount",
  maxReplicaCount: "maxReplicaCount",
  pollingInterval: "pollingInterval",
  cooldownPeriod: "cooldownPeriod",
  stabilizationWindow:
    "advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.stabilizationWindowSeconds",
};

export function describeSuggestion(suggestion: Suggestion): string[] {
  const { engine, now, best, targetWaitS, trials, otherSeedsP95S } = suggestion;
  const heading = `keda/${engine}.yaml, for 95 % of jobs to start within ${duration(targetWaitS)} (${trials} simulations):`;
  if (!best)
    return [
      "",
      heading,
      `  Nothing that was tried keeps it; now it is ${duration(now.p95S)}. More pods at once do not help: allow a longer wait, or quicker jobs, or a minReplicaCount above 5.`,
    ];
  const names = Object.keys(PATHS) as (keyof Parameters)[];
  const rows = names.map((name) => [
    PATHS[name],
    String(now.parameters[name]),
    best.parameters[name] === now.parameters[name] ? "·" : String(best.parameters[name]),
  ]);
  const figures: [string, (trial: typeof now) => string][] = [
    ["p95 of the wait", ({ p95S }) => duration(p95S)],
    ["late jobs", ({ late }) => late.toLocaleString("en-US")],
    ["replicas at most", ({ maxReplicas }) => String(maxReplicas)],
    ["cost of pods", ({ costUsd }) => dollars(costUsd)],
  ];
  const table = renderTable(
    [
      { title: "", align: "left" },
      { title: "now", align: "right" },
      { title: "suggested", align: "right" },
    ],
    [...rows, ...figures.map(([label, of]) => [label, of(now), of(best)])],
  );
  const holds =
    otherSeedsP95S <= targetWaitS
      ? `With other seeds it holds as well (p95 ${duration(otherSeedsP95S)} at most).`
      : `With another seed p95 is ${duration(otherSeedsP95S)}: the target is at the edge, leave some room.`;
  return ["", heading, ...table.map((row) => `  ${row}`), `  ${holds}`];
}
