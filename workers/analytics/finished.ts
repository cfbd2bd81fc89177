/** Metrics of single items: when each was finished, how long it took, and what is still going on. */

import type { Steps } from "@tl-engine/shared";
import { DAY_MS, type Days, dayIndex, isoWeek } from "./days.ts";
import { sorted } from "./order.ts";
import { percentile } from "./percentile.ts";
import { CEILINGS, type FlowOutput, type StateGroup } from "./schemas.ts";
import type { Moment, Timeline } from "./timeline.ts";

/** An item that is completed and in scope at the end of what is seen. */
export interface Finished {
  itemId: string;
  finishedMs: number;
  /** Null when it was never in a started state. */
  cycleMs: number | null;
  leadMs: number;
  milliPoints: number;
  cycles: string[];
}

export const isOver = (group: StateGroup) => group === "completed" || group === "cancelled";

/**
 * Time from an instant to the end without the time in which the item was over (completed or
 * cancelled): a reopened item did not take the weeks in which everyone thought it done.
 */
export function workingMs(moments: readonly Moment[], fromMs: number, endMs: number): number {
  let sum = 0;
  moments.forEach(({ atMs, group }, i) => {
    const start = Math.max(atMs, fromMs);
    const end = Math.min(moments[i + 1]?.atMs ?? endMs, endMs);
    if (!isOver(group) && end > start) sum += end - start;
  });
  return sum;
}

/** The first time that the item was started; null if never. */
export const startedMs = (moments: readonly Moment[]) =>
  moments.find(({ group }) => group === "started")?.atMs ?? null;

/** The instant from which the condition holds without a break until the end. */
export function sinceMs(moments: readonly Moment[], holds: (moment: Moment) => boolean): number {
  let i = moments.length - 1;
  while (i > 0 && holds(moments[i - 1] as Moment)) i--;
  return (moments[i] as Moment).atMs;
}

/**
 * The finished items, earliest first. An item is finished when it entered `completed` for the last
 * time and is still completed and in scope at the end of what is seen: one that was reopened twice
 * counts once, at its last completion; one that is open again, cancelled or deleted does not count.
 *
 * Cycle time runs from the first time in a started state to that completion, less the time in
 * between in which it was over. Lead time runs from creation to that completion, all included.
 */
export function* finishedItems(timelines: readonly Timeline[]): Steps<Finished[]> {
  const finished: Finished[] = [];
  for (const { itemId, createdMs, moments, cycles } of timelines) {
    yield;
    const last = moments.at(-1) as Moment;
    if (last.group !== "completed" || !last.inScope) continue;
    const finishedMs = sinceMs(moments, ({ group }) => group === "completed");
    const started = startedMs(moments);
    // Started only after a change among completed states can't be: the last run has no started moment.
    const cycleMs = started === null ? null : workingMs(moments, started, finishedMs);
    finished.push({
      itemId,
      finishedMs,
      cycleMs,
      leadMs: finishedMs - createdMs,
      milliPoints: last.milliPoints,
      cycles,
    });
  }
  return yield* sorted(
    finished,
    (a, b) => a.finishedMs - b.finishedMs || (a.itemId < b.itemId ? -1 : 1),
  );
}

function durations(values: number[]) {
  const rising = Float64Array.from(values).sort();
  const days = (percent: number) => {
    const ms = percentile(rising, percent);
    return ms === null ? null : ms / DAY_MS;
  };
  return { count: values.length, p50Days: days(50), p85Days: days(85), p95Days: days(95) };
}

/** Cycle and lead time of items finished in the window. */
export function cycleTime(finished: readonly Finished[]): NonNullable<FlowOutput["cycleTime"]> {
  return {
    cycle: durations(finished.flatMap(({ cycleMs }) => cycleMs ?? [])),
    lead: durations(finished.map(({ leadMs }) => leadMs)),
    items: finished
      .slice(-CEILINGS.itemsListed)
      .reverse()
      .map(({ itemId, finishedMs, cycleMs, leadMs }) => ({
        itemId,
        finishedAt: new Date(finishedMs).toISOString(),
        cycleDays: cycleMs === null ? null : cycleMs / DAY_MS,
        leadDays: leadMs / DAY_MS,
      })),
  };
}

/** How many items were finished on each of the days. */
export function finishedPerDay(finished: readonly Finished[], days: Days): Float64Array {
  const counts = new Float64Array(days.dates.length);
  for (const { finishedMs } of finished) {
    const day = dayIndex(days, finishedMs);
    if (finishedMs >= days.startMs && day < counts.length)
      counts[day] = (counts[day] as number) + 1;
  }
  return counts;
}

/** Sums per ISO week of the days; weeks without anything are there with 0. */
function perWeek(finished: readonly Finished[], days: Days) {
  const weeks: {
    week: string;
    monday: string;
    days: number;
    items: number;
    milliPoints: number;
  }[] = [];
  const weekOfDay = days.dates.map((date) => {
    const { week, monday } = isoWeek(date);
    if (weeks.at(-1)?.week !== week)
      weeks.push({ week, monday, days: 0, items: 0, milliPoints: 0 });
    const current = weeks.at(-1) as (typeof weeks)[0];
    current.days++;
    return current;
  });
  for (const { finishedMs, milliPoints } of finished) {
    const week = weekOfDay[dayIndex(days, finishedMs)];
    if (!week) continue;
    week.items++;
    week.milliPoints += milliPoints;
  }
  return weeks;
}

/** Items finished per day and per ISO week. */
export function throughput(
  finished: readonly Finished[],
  days: Days,
): NonNullable<FlowOutput["throughput"]> {
  const counts = finishedPerDay(finished, days);
  return {
    days: days.dates.map((date, day) => ({ date, items: counts[day] as number })),
    weeks: perWeek(finished, days).map(({ milliPoints: _, ...week }) => week),
  };
}

/** Points of the items finished per ISO week and per cycle, at their estimates of the end. */
export function velocity(
  finished: readonly Finished[],
  days: Days,
): NonNullable<FlowOutput["velocity"]> {
  const weeks = perWeek(finished, days);
  const whole = weeks.filter((week) => week.days === 7);
  const cycles = new Map<string, { items: number; milliPoints: number }>();
  for (const item of finished)
    for (const cycleId of item.cycles) {
      const sum = cycles.get(cycleId) ?? { items: 0, milliPoints: 0 };
      cycles.set(cycleId, {
        items: sum.items + 1,
        milliPoints: sum.milliPoints + item.milliPoints,
      });
    }
  return {
    weeks: weeks.map(({ milliPoints, ...week }) => ({ ...week, points: milliPoints / 1000 })),
    meanPointsPerWeek:
      whole.length === 0
        ? null
        : whole.reduce((sum, week) => sum + week.milliPoints, 0) / 1000 / whole.length,
    cycles: [...cycles]
      .map(([cycleId, { items, milliPoints }]) => ({ cycleId, items, points: milliPoints / 1000 }))
      .sort((a, b) => (a.cycleId < b.cycleId ? -1 : 1)),
  };
}

/** Items that are in a started state at the end, by age: the cycle time they would have if finished now. */
export function* aging(
  timelines: readonly Timeline[],
  nowMs: number,
  p85Days: number | null,
): Steps<NonNullable<FlowOutput["aging"]>> {
  const open: NonNullable<FlowOutput["aging"]>["items"] = [];
  for (const { itemId, moments } of timelines) {
    yield;
    const last = moments.at(-1) as Moment;
    const started = startedMs(moments);
    if (last.group !== "started" || !last.inScope || started === null) continue;
    const ageDays = workingMs(moments, started, nowMs) / DAY_MS;
    open.push({
      itemId,
      stateId: last.stateId,
      startedAt: new Date(started).toISOString(),
      ageDays,
      inStateDays: (nowMs - sinceMs(moments, ({ stateId }) => stateId === last.stateId)) / DAY_MS,
      beyondP85: p85Days === null ? null : ageDays > p85Days,
    });
  }
  const oldest = yield* sorted(
    open,
    (a, b) => b.ageDays - a.ageDays || (a.itemId < b.itemId ? -1 : 1),
  );
  return { total: open.length, items: oldest.slice(0, CEILINGS.itemsListed) };
}
