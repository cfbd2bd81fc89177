/** The result for a terminal: a table, what else is worth knowing, and the last line. */
import { type Column, renderTable } from "../../show/terminal/table.ts";
import { perMonth, type Result } from "./result.ts";

const COLUMNS: Column[] = [
  { title: "engine", align: "left" },
  { title: "jobs", align: "right" },
  { title: "done", align: "right" },
  { title: "late", align: "right" },
  { title: "target", align: "right" },
  { title: "p50", align: "right" },
  { title: "p95", align: "right" },
  { title: "p99", align: "right" },
  { title: "longest", align: "right" },
  { title: "replicas", align: "right" },
  { title: "starts", align: "right" },
  { title: "drained", align: "right" },
  { title: "killed", align: "right" },
  { title: "pod-hours", align: "right" },
  { title: "cost", align: "right" },
];

/** A wait for people: "0 s", "0.4 s", "35 s", "9 min", "2.3 h". */
export function duration(seconds: number): string {
  if (seconds < 0.05) return "0 s";
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  if (seconds < 7_200) return `${(seconds / 60).toFixed(0)} min`;
  return `${(seconds / 3_600).toFixed(1)} h`;
}

export const whole = (value: number) => Math.round(value).toLocaleString("en-US");

/** Dollars with as many digits as matter. */
export const dollars = (value: number) =>
  `$${value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: value < 1 ? 4 : 2 })}`;

/** Whether a month like it means anything: of days, not of an hour's accident. */
export const isDays = ({ durationS }: Pick<Result, "durationS">) => durationS >= 86_400;

export function describe(result: Result): string[] {
  const rows = result.engines.map((it) => [
    it.engine,
    whole(it.jobs),
    whole(it.done),
    whole(it.late),
    duration(it.targetWaitS),
    duration(it.wait.p50S),
    duration(it.wait.p95S),
    duration(it.wait.p99S),
    duration(it.wait.maxS),
    String(it.maxReplicas),
    whole(it.podsStarted),
    whole(it.podsStoppedBusy),
    whole(it.podsKilled),
    it.podHours.toFixed(1),
    dollars(it.costUsd),
  ]);
  return [
    `Simulated: ${result.title} (seed ${result.seed}).`,
    "",
    ...renderTable(COLUMNS, rows),
    "",
    "p50, p95, p99: from publish to the start of the run; late: waited longer than the target;",
    "drained: pods told to stop while they ran jobs; killed: of them, those whose jobs did not fit into the drain.",
    ...monthLines(result),
  ];
}

function monthLines(result: Result): string[] {
  const nodes = `Nodes: ${result.maxNodes} at most, ${result.nodeHours.toFixed(1)} node-hours.`;
  if (!isDays(result)) return [nodes];
  const month = perMonth(result);
  const sum = (figure: "redisCommands" | "brokerMessages" | "postgresRows") =>
    whole(result.engines.reduce((total, { usage }) => total + usage[figure], 0) * month);
  return [
    nodes,
    `A month like it (730 h): ${dollars(result.costUsd * month)} for pods' requests, ${sum("brokerMessages")} broker messages, ${sum("redisCommands")} Redis commands at most, ${sum("postgresRows")} Postgres rows.`,
  ];
}

export function lastLine(result: Result, seconds: number): string {
  const { jobs, done, late, wait } = result;
  const figures = {
    jobs,
    done,
    late,
    p50_s: wait.p50S.toFixed(2),
    p95_s: wait.p95S.toFixed(2),
    p99_s: wait.p99S.toFixed(2),
    max_replicas: Math.max(0, ...result.engines.map(({ maxReplicas }) => maxReplicas)),
    pod_hours: result.podHours.toFixed(2),
    cost_usd: result.costUsd.toFixed(4),
    seconds: seconds.toFixed(2),
  };
  return `simulate: ${Object.entries(figures)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ")}`;
}
