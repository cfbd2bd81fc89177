/**
 * What the flow must be: a replay of the file by brute force, day by day and item by item. It is
 * written to be obviously right, not fast, and knows nothing of activities, events or engines.
 */

import { nearestRank } from "../../show/statistics.ts";
import type { Issue } from "./history.ts";
import { planeState, type StateGroup } from "./plane.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

export interface FlowWindow {
  /** First and last UTC day, YYYY-MM-DD; nothing after the last one is looked at. */
  from: string;
  to: string;
}

/** From when on an issue is in a group. */
interface Phase {
  atMs: number;
  group: StateGroup;
}

/** The parts of the engine's answer that the replay can tell, in its shape. */
export function replayFlow(issues: Issue[], window: FlowWindow) {
  const endMs = Date.parse(window.to) + DAY_MS;
  const lives = issues
    .map((issue) => ({
      key: issue.key,
      phases: phasesOf(issue).filter(({ atMs }) => atMs < endMs),
    }))
    .filter(({ phases }) => phases.length > 0);
  const finished = lives.flatMap(({ key, phases }) => {
    const end = finishOf(phases);
    return end && end.atMs >= Date.parse(window.from) ? [{ key, ...end }] : [];
  });
  const days = daysOf(window);
  const cumulativeFlow = days.map((date) => {
    const count = { date, backlog: 0, unstarted: 0, started: 0, completed: 0, cancelled: 0 };
    const midnightMs = Date.parse(date) + DAY_MS;
    for (const { phases } of lives) {
      const group = groupAt(phases, midnightMs);
      if (group) count[group]++;
    }
    return count;
  });
  return {
    items: totalsOf(lives.map(({ phases }) => phases.at(-1)?.group)),
    cumulativeFlow,
    burn: cumulativeFlow.map(({ date, backlog, unstarted, started, completed }) => ({
      date,
      remaining: backlog + unstarted + started,
      scope: backlog + unstarted + started + completed,
      done: completed,
    })),
    throughput: throughputOf(days, finished),
    cycleTime: {
      cycle: durationsOf(finished.flatMap(({ cycleMs }) => (cycleMs === null ? [] : [cycleMs]))),
      lead: durationsOf(finished.map(({ leadMs }) => leadMs)),
    },
    /** By issue key. */
    finished: new Map(
      finished.map(({ key, atMs, cycleMs, leadMs }) => [
        key,
        {
          finishedAt: new Date(atMs).toISOString(),
          cycleDays: cycleMs === null ? null : cycleMs / DAY_MS,
          leadDays: leadMs / DAY_MS,
        },
      ]),
    ),
  };
}

export type ReplayedFlow = ReturnType<typeof replayFlow>;

/** One phase for the creation and each change set, whether it changes the group or not. */
function phasesOf(issue: Issue): Phase[] {
  let status = issue.firstStatus;
  const firstResolution = issue.changes
    .flatMap((change) => change.items)
    .find((item) => item.field === "resolution");
  let resolution = firstResolution?.from ?? null;
  const phases = [
    { atMs: Date.parse(issue.createdAt), group: planeState(status, resolution).group },
  ];
  for (const change of issue.changes) {
    for (const item of change.items) {
      if (item.field === "status") status = item.to ?? status;
      if (item.field === "resolution") resolution = item.to;
    }
    phases.push({ atMs: Date.parse(change.at), group: planeState(status, resolution).group });
  }
  return phases;
}

/** The group before an instant; undefined when there is no item yet. */
function groupAt(phases: Phase[], ms: number): StateGroup | undefined {
  let group: StateGroup | undefined;
  for (const phase of phases) {
    if (phase.atMs >= ms) break;
    group = phase.group;
  }
  return group;
}

/**
 * When an item that is completed at the end was so for the last time, and how long it took: from its
 * creation (lead), and from its first start without the time in which it was over (cycle).
 */
function finishOf(phases: Phase[]) {
  let finish: Phase | undefined;
  for (const phase of phases) {
    if (phase.group !== "completed") finish = undefined;
    else finish ??= phase;
  }
  const [created] = phases;
  if (!finish || !created) return undefined;
  const start = phases.find((phase) => phase.group === "started");
  let cycleMs: number | null = null;
  if (start) {
    cycleMs = 0;
    for (const [index, phase] of phases.entries()) {
      const next = phases[index + 1];
      const over = phase.group === "completed" || phase.group === "cancelled";
      if (next && !over && phase.atMs >= start.atMs && next.atMs <= finish.atMs)
        cycleMs += next.atMs - phase.atMs;
    }
  }
  return { atMs: finish.atMs, cycleMs, leadMs: finish.atMs - created.atMs };
}

function totalsOf(groups: (StateGroup | undefined)[]) {
  const done = groups.filter((group) => group === "completed").length;
  const cancelled = groups.filter((group) => group === "cancelled").length;
  return { total: groups.length, open: groups.length - done - cancelled, done, cancelled };
}

function durationsOf(ms: number[]) {
  const days = ms.map((value) => value / DAY_MS);
  return {
    count: days.length,
    p50Days: nearestRank(days, 50),
    p85Days: nearestRank(days, 85),
    p95Days: nearestRank(days, 95),
  };
}

function throughputOf(days: string[], finished: { atMs: number }[]) {
  const perDay = days.map((date) => {
    const start = Date.parse(date);
    const items = finished.filter(({ atMs }) => atMs >= start && atMs < start + DAY_MS).length;
    return { date, items };
  });
  const weeks = Map.groupBy(perDay, ({ date }) => mondayOf(date));
  return {
    days: perDay,
    weeks: [...weeks].map(([monday, ofWeek]) => ({
      monday,
      days: ofWeek.length,
      items: ofWeek.reduce((sum, { items }) => sum + items, 0),
    })),
  };
}

function mondayOf(date: string): string {
  const daysSinceMonday = (new Date(date).getUTCDay() + 6) % 7;
  return new Date(Date.parse(date) - daysSinceMonday * DAY_MS).toISOString().slice(0, 10);
}

function daysOf({ from, to }: FlowWindow): string[] {
  const days: string[] = [];
  for (let ms = Date.parse(from); ms <= Date.parse(to); ms += DAY_MS)
    days.push(new Date(ms).toISOString().slice(0, 10));
  return days;
}
