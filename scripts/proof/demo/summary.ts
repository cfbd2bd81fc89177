/** The figures of a run, per project and in all, as rows for the terminal and the page. */

import { nearestRank } from "../../show/statistics.ts";
import { count } from "../../show/terminal/paint.ts";
import type { Column } from "../../show/terminal/table.ts";
import type { AnsweredFlow } from "./flows.ts";
import type { Observer } from "./observe.ts";
import type { Row } from "./rows.ts";

export const SUMMARY_COLUMNS: Column[] = [
  { title: "project", align: "left" },
  { title: "items", align: "right" },
  { title: "done", align: "right" },
  { title: "open", align: "right" },
  { title: "cycle p50", align: "right" },
  { title: "cycle p85", align: "right" },
  { title: "lead p50", align: "right" },
  { title: "done/week", align: "right" },
  { title: "rest done by (85 %)", align: "right" },
];

/** Weeks whose mean is shown as the throughput of today. */
const RECENT_WEEKS = 52;

export function summaryRow({ project, answer }: AnsweredFlow): string[] {
  const { items, cycleTime, throughput } = answer;
  return [
    project?.key ?? "all",
    count(items.total),
    count(items.done),
    count(items.open),
    days(cycleTime?.cycle.p50Days),
    days(cycleTime?.cycle.p85Days),
    days(cycleTime?.lead.p50Days),
    perWeek(throughput?.weeks ?? []),
    forecastOf(answer),
  ];
}

const days = (value: number | null | undefined) =>
  value === null || value === undefined ? "–" : `${value.toFixed(value < 10 ? 1 : 0)} d`;

function perWeek(weeks: { items: number }[]): string {
  const recent = weeks.slice(-RECENT_WEEKS);
  if (recent.length === 0) return "–";
  return (recent.reduce((sum, week) => sum + week.items, 0) / recent.length).toFixed(1);
}

function forecastOf({ forecast, items }: AnsweredFlow["answer"]): string {
  if (items.open === 0) return "nothing is open";
  const safe = forecast?.percentiles.find(({ percentile }) => percentile === 85);
  return safe?.date ?? "not in sight";
}

export interface Latency {
  /** From publishing to the first reply, with the wait in the queue. */
  answered: { p50Ms: number; p99Ms: number };
  /** From a worker's start with the job to its commit. */
  inWorker: { p50Ms: number; p99Ms: number };
}

export function latencyOf(
  publishedAt: ReadonlyMap<string, number>,
  repliedAt: Observer["repliedAt"],
  rows: Row[],
): Latency {
  const answered = [...repliedAt].flatMap(([id, at]) => {
    const from = publishedAt.get(id);
    return from === undefined ? [] : [at - from];
  });
  const inWorker = rows.map((row) => row.finishedAtMs - row.startedAtMs);
  return { answered: percentiles(answered), inWorker: percentiles(inWorker) };
}

const percentiles = (values: number[]) => ({
  p50Ms: Math.round(nearestRank(values, 50) ?? 0),
  p99Ms: Math.round(nearestRank(values, 99) ?? 0),
});
