/** Day by day series of a scope: burn-down and burn-up, and cumulative flow. */

import type { Steps } from "@tl-engine/shared";
import { type Days, dayIndex } from "./days.ts";
import { type FlowOutput, STATE_GROUPS, type StateGroup } from "./schemas.ts";
import type { Timeline } from "./timeline.ts";

/** Totals at the end of each day, by state group: items, and thousandths of points. */
export interface DailyTotals {
  items: Record<StateGroup, Float64Array>;
  milliPoints: Record<StateGroup, Float64Array>;
}

/**
 * What is in each state group at the end of each day.
 *
 * A day holds the instants from its first one up to, and without, the first one of the next local
 * day; an item counts as what it is after its last change in the day. Only items in scope at that
 * time count, so the past is not rewritten when an item later leaves (deleted, moved to the next cycle).
 */
export function* dailyTotals(timelines: readonly Timeline[], days: Days): Steps<DailyTotals> {
  const length = days.dates.length;
  const empty = () =>
    Object.fromEntries(
      STATE_GROUPS.map((group) => [group, new Float64Array(length + 1)]),
    ) as Record<StateGroup, Float64Array>;
  const totals = { items: empty(), milliPoints: empty() };
  const add = (array: Float64Array, from: number, to: number, amount: number) => {
    array[from] = (array[from] as number) + amount;
    array[to] = (array[to] as number) - amount;
  };
  for (const { moments } of timelines) {
    yield;
    let from = dayIndex(days, (moments[0] as Timeline["moments"][0]).atMs);
    for (let i = 0; i < moments.length && from < length; i++) {
      const { group, milliPoints, inScope } = moments[i] as Timeline["moments"][0];
      const next = moments[i + 1];
      const to = next ? dayIndex(days, next.atMs) : length;
      if (inScope && from < to) {
        add(totals.items[group], from, to, 1);
        add(totals.milliPoints[group], from, to, milliPoints);
      }
      from = to;
    }
  }
  // What was noted where it begins and ends is now summed up over the days.
  for (const kind of [totals.items, totals.milliPoints])
    for (const group of STATE_GROUPS)
      for (let day = 1; day < length; day++)
        kind[group][day] = (kind[group][day] as number) + (kind[group][day - 1] as number);
  return totals;
}

/**
 * Burn-down and burn-up. Remaining is what is open (backlog, unstarted, started), done what is
 * completed, scope both together: a cancelled item is in neither, so cancelling shrinks the scope.
 */
export function burn(
  totals: DailyTotals,
  days: Days,
  unit: "items" | "points",
): FlowOutput["burn"] {
  const by = unit === "items" ? totals.items : totals.milliPoints;
  const per = unit === "items" ? 1 : 1000;
  return days.dates.map((date, day) => {
    const at = (group: StateGroup) => by[group][day] as number;
    const open = at("backlog") + at("unstarted") + at("started");
    return {
      date,
      remaining: open / per,
      scope: (open + at("completed")) / per,
      done: at("completed") / per,
    };
  });
}

/** Cumulative flow: how many items are in each state group. */
export function cumulativeFlow(
  { items }: DailyTotals,
  days: Days,
): NonNullable<FlowOutput["cumulativeFlow"]> {
  return days.dates.map((date, day) => ({
    date,
    backlog: items.backlog[day] as number,
    unstarted: items.unstarted[day] as number,
    started: items.started[day] as number,
    completed: items.completed[day] as number,
    cancelled: items.cancelled[day] as number,
  }));
}
