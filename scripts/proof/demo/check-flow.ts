/** Compares what `analytics.flow` answers with the replay of the file by brute force. */
import { isDeepStrictEqual } from "node:util";
import type { AnalyticsFlowOutput } from "../../../shared/client/contract.ts";
import type { Findings } from "./check.ts";
import type { ReplayedFlow } from "./oracle.ts";

/** Adds a finding for each metric that is not what the replay says. `scope` names what was asked for. */
export function checkFlow(
  scope: string,
  answer: AnalyticsFlowOutput,
  replayed: ReplayedFlow,
  keyOfItem: ReadonlyMap<string, string>,
  findings: Findings,
): void {
  const { cycleTime, throughput } = answer;
  const parts: [what: string, got: unknown, expected: unknown][] = [
    ["items", answer.items, replayed.items],
    ["cumulative flow", answer.cumulativeFlow, replayed.cumulativeFlow],
    ["burn", answer.burn, replayed.burn],
    ["throughput per day", throughput?.days, replayed.throughput.days],
    ["throughput per week", throughput?.weeks.map(withoutName), replayed.throughput.weeks],
    ["cycle time", cycleTime?.cycle, replayed.cycleTime.cycle],
    ["lead time", cycleTime?.lead, replayed.cycleTime.lead],
  ];
  for (const [what, got, expected] of parts)
    if (!isDeepStrictEqual(got, expected))
      findings.add("different", `${what} of ${scope}: ${firstDifference(got, expected)}`);
  for (const { itemId, ...times } of cycleTime?.items ?? []) {
    const key = keyOfItem.get(itemId) ?? `unknown item ${itemId}`;
    if (!isDeepStrictEqual(times, replayed.finished.get(key)))
      findings.add("different", `times of ${key}, asked for ${scope}`);
  }
}

/** The ISO name of a week says no more than its Monday. */
const withoutName = ({ monday, days, items }: { monday: string; days: number; items: number }) => ({
  monday,
  days,
  items,
});

/** The first element that differs where both are lists, else both. */
function firstDifference(got: unknown, expected: unknown): string {
  if (!Array.isArray(got) || !Array.isArray(expected))
    return `${JSON.stringify(got)} instead of ${JSON.stringify(expected)}`;
  const index = expected.findIndex((element, i) => !isDeepStrictEqual(element, got[i]));
  if (index === -1) return `${got.length} elements instead of ${expected.length}`;
  return `${JSON.stringify(got[index])} instead of ${JSON.stringify(expected[index])}`;
}
