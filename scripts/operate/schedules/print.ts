/** Schedules and jobs that wait, for people. */
import { renderTable } from "../../show/terminal/table.ts";
import type { Held, Kept, ListedSchedule, Slot } from "./read.ts";

const left = (title: string) => ({ title, align: "left" as const });
const right = (title: string) => ({ title, align: "right" as const });

const timeText = (ms: number | null) =>
  ms === null ? "–" : `${new Date(ms).toISOString().slice(0, 19)}Z`;

/** What a person should know of it before anything else. */
function stateOf({ paused, queuedMs, nextMs }: ListedSchedule, nowMs: number): string {
  if (paused) return "paused";
  if (queuedMs !== null) return "waits for the run before";
  if (nextMs === null) return "has no more slots";
  return nextMs < nowMs - 60_000 ? "late: is a scheduler running?" : "";
}

const sourceOf = ({ source, publisher }: ListedSchedule) =>
  source === "file" ? "file" : (publisher ?? "nobody's");

function scheduleTable(schedules: readonly ListedSchedule[], nowMs: number): string[] {
  const columns = [
    ...["schedule", "when", "from", "next", "last run"].map(left),
    ...["missed", "skipped"].map(right),
    left("state"),
  ];
  const rows = schedules.map((it) => [
    ...[it.name, it.when, sourceOf(it)],
    ...[it.paused ? "–" : timeText(it.nextMs), timeText(it.lastRunMs)],
    ...[String(it.missed), String(it.skipped), stateOf(it, nowMs)],
  ]);
  return renderTable(columns, rows);
}

function heldTable(held: readonly Held[]): string[] {
  const columns = [
    left("waiting for"),
    right("jobs"),
    ...["next", "last"].map(left),
    ...["overdue", "bytes"].map(right),
  ];
  const rows = held.map(({ engine, jobs, nextMs, lastMs, overdue, bytes }) => [
    ...[engine, String(jobs), timeText(nextMs), timeText(lastMs), String(overdue), String(bytes)],
  ]);
  return renderTable(columns, rows);
}

/** The last line is for other programs. */
export function linesOfKept({ nowMs, schedules, held }: Kept): string[] {
  const sum = (of: (it: ListedSchedule) => number) =>
    schedules.reduce((total, it) => total + of(it), 0);
  const waiting = held.reduce((total, { jobs }) => total + jobs, 0);
  const overdue = held.reduce((total, it) => total + it.overdue, 0);
  return [
    ...(schedules.length > 0 ? [...scheduleTable(schedules, nowMs), ""] : []),
    ...(held.length > 0 ? [...heldTable(held), ""] : []),
    `schedules: schedules=${schedules.length} paused=${sum(({ paused }) => Number(paused))} missed=${sum(({ missed }) => missed)} skipped=${sum(({ skipped }) => skipped)} waiting=${waiting} overdue=${overdue}`,
  ];
}

/** One schedule, with what became of its last slots. */
export function linesOfSchedule(it: ListedSchedule, slots: readonly Slot[], nowMs: number) {
  const told = [
    ["jobs", it.type],
    ["when", it.when],
    ["from", sourceOf(it)],
    ["next", it.paused ? "– (paused)" : timeText(it.nextMs)],
    ["last run", it.lastJobId === null ? "–" : `${timeText(it.lastRunMs)} ${it.lastJobId}`],
    ["state", stateOf(it, nowMs) || "in force"],
  ].map(([what = "", value = ""]) => `  ${what.padEnd(8)}  ${value}`);
  const columns = [left("slot"), left("state"), right("slots"), left("decided"), left("fired")];
  const rows = slots.map(({ atMs, state, count, decidedMs, firedMs }) => [
    ...[timeText(atMs), state, String(count), timeText(decidedMs), timeText(firedMs)],
  ]);
  return [it.name, ...told, ...(rows.length > 0 ? ["", ...renderTable(columns, rows)] : [])];
}
