/** Computes a whole `flow` from the recorded changes, in steps: a pure function of input, history and clock. */

import type { Steps } from "@tl-engine/shared";
import { Reject } from "@tl-engine/shared";
import { draw } from "./charts/draw.ts";
import { addDays, DAY_MS, type Days, dateOf, daysBetween, daysOf } from "./days.ts";
import * as items from "./finished.ts";
import { type Ahead, forecast } from "./forecast.ts";
import { replayAll } from "./replay-all.ts";
import { CEILINGS, type FlowInput, type FlowOutput, type Window } from "./schemas.ts";
import * as series from "./series.ts";
import { type Settled, wasEverIn } from "./settled.ts";
import { MAX_FORECAST_DAYS } from "./simulate.ts";
import type { Change, Timeline } from "./timeline.ts";

/** The part of the window that has begun by `asOf`. */
interface Seen {
  days: Days;
  lastDay: string | null;
  /** The first instant that is not seen: what happens at or after it does not count. */
  endMs: number;
}

/** The days that have begun; the last one ends at `asOf` if that is earlier than its midnight. */
function seenOf({ from, to, timeZone }: Window, asOfMs: number): Seen {
  const { dates, endsMs, startMs } = daysOf(from, to, timeZone);
  let count = 0;
  while (count < dates.length && (count === 0 ? startMs : (endsMs[count - 1] as number)) <= asOfMs)
    count++;
  const endMs = Math.min(asOfMs + 1, count === 0 ? startMs : (endsMs[count - 1] as number));
  const ends = endsMs.slice(0, count);
  if (count > 0) ends[count - 1] = endMs;
  return {
    days: { dates: dates.slice(0, count), endsMs: ends, startMs },
    lastDay: dates[count - 1] ?? null,
    endMs,
  };
}

/**
 * Flow metrics of a scope in a window. Nothing after the end of what is seen (the window's last
 * midnight or `asOf`, whichever is earlier) has any influence, so that a past window gives the
 * same answer for ever, unless something is recorded late. Definitions: `series.ts` and
 * `finished.ts`. Throws {@link Reject} when the forecast asks about a day that it can't, or for too much.
 */
export function* flow(
  input: FlowInput,
  changes: readonly Change[],
  nowMs: number,
  settled: readonly Settled[] = [],
): Steps<FlowOutput> {
  const asOfMs = input.asOf === undefined ? nowMs : Date.parse(input.asOf);
  const seen = seenOf(input.window, asOfMs);
  refuseTooMuch(input, seen, asOfMs);
  const { cycleId, labelId } = input.scope;
  const replay = { endMs: seen.endMs, labelId, overrides: input.states };
  const timelines = yield* replayAll(changes, { ...replay, cycleId }, settled);
  const totals = yield* series.dailyTotals(timelines, seen.days);
  const finished = yield* items.finishedItems(timelines);
  yield;
  const inWindow = finished.filter(({ finishedMs }) => finishedMs >= seen.days.startMs);
  const cycleTime = items.cycleTime(inWindow);
  yield;
  const counts = countsOf(timelines);
  yield;
  const warnings = [...warningsOf(timelines), ...beyondRetention(settled, input, seen)];
  yield;

  let ahead: Ahead | undefined;
  if (input.forecast) {
    // A cycle has no past of its own: its pace is that of the projects whose items it holds.
    const paced = cycleId === undefined ? timelines : yield* replayAll(changes, replay, settled);
    ahead = yield* forecastOf(input, paced, seen, counts.open, asOfMs, warnings);
  }
  for (const { code, path, message } of input.keyWarnings ?? [])
    warnings.push(noted(code, `${path} ${message}`));
  if (changes.length + settled.length === 0)
    warnings.push(noted("nothing_recorded", "no change of this scope is recorded"));

  const wanted = new Set(input.metrics);
  const output: FlowOutput = {
    asOf: new Date(asOfMs).toISOString(),
    lastDay: seen.lastDay,
    items: counts,
    ...(wanted.has("burn") && { burn: series.burn(totals, seen.days, input.unit) }),
    ...(wanted.has("cumulativeFlow") && {
      cumulativeFlow: series.cumulativeFlow(totals, seen.days),
    }),
    ...(wanted.has("cycleTime") && { cycleTime }),
    ...(wanted.has("throughput") && { throughput: items.throughput(inWindow, seen.days) }),
    ...(wanted.has("velocity") && { velocity: items.velocity(inWindow, seen.days) }),
    ...(wanted.has("aging") && {
      aging: yield* items.aging(timelines, Math.min(seen.endMs, asOfMs), cycleTime.cycle.p85Days),
    }),
    ...(ahead && { forecast: ahead.forecast }),
    warnings,
  };
  yield;
  if (input.svg) {
    const fan = ahead && (yield* ahead.fan());
    output.svg = draw(input, output, {
      finished: inWindow,
      cycleTime,
      days: seen.days,
      ahead,
      fan,
    });
  }
  return output;
}

/** The last day seen, on which a forecast stands. */
const standsOn = ({ lastDay }: Seen, { timeZone }: Window, asOfMs: number) =>
  lastDay ?? dateOf(asOfMs, timeZone);

/** Throws {@link Reject} for a forecast that can't be made, or that would take too long. */
function refuseTooMuch({ window, forecast: asked }: FlowInput, seen: Seen, asOfMs: number): void {
  if (!asked) return;
  const from = standsOn(seen, window, asOfMs);
  const days = asked.until === undefined ? MAX_FORECAST_DAYS : daysBetween(from, asked.until);
  if (days < 1 || days > MAX_FORECAST_DAYS)
    throw new Reject(
      `forecast.until must be 1 to ${MAX_FORECAST_DAYS} days after ${from}, the last day seen`,
      {
        details: [{ path: "forecast.until", message: `is ${days} days after ${from}` }],
      },
    );
  const most = Math.floor(CEILINGS.simulatedDays / days);
  if (asked.simulations > most)
    throw new Reject(
      `the forecast would simulate up to ${asked.simulations} × ${days} days, more than ${CEILINGS.simulatedDays}; ` +
        `lower forecast.simulations to ${most}${asked.until === undefined ? "" : ", or ask about an earlier forecast.until"}`,
      {
        details: [
          {
            path: "forecast.simulations",
            message: `at most ${most} for a horizon of ${days} days`,
          },
        ],
      },
    );
}

function* forecastOf(
  { window, forecast: asked }: FlowInput,
  timelines: Timeline[],
  seen: Seen,
  open: number,
  asOfMs: number,
  warnings: FlowOutput["warnings"],
): Steps<Ahead | undefined> {
  if (!asked) return undefined;
  const from = standsOn(seen, window, asOfMs);
  const firstMs = timelines.reduce(
    (least, { createdMs }) => Math.min(least, createdMs),
    seen.endMs,
  );
  const first = dateOf(Math.max(firstMs, seen.endMs - 3_659 * DAY_MS), window.timeZone);
  // A day that is not over would look like a slow one.
  const whole = daysOf(from, from, window.timeZone).endsMs[0] === seen.endMs;
  const history = daysOf(first, whole ? from : addDays(from, -1), window.timeZone);
  const perDay = items.finishedPerDay(yield* items.finishedItems(timelines), history);
  const ahead = { ...(yield* forecast(perDay, from, asked.remaining ?? open, asked)), perDay };
  if (perDay.length < 28)
    warnings.push(
      noted("short_history", `the forecast rests on ${perDay.length} days of history only`),
    );
  if (!perDay.subarray(-asked.historyDays).some((count) => count > 0))
    warnings.push(
      noted("no_throughput", "nothing was finished in the history that the forecast rests on"),
    );
  return ahead;
}

/** What the scope holds at the end. */
function countsOf(timelines: readonly Timeline[]): FlowOutput["items"] {
  const counts = { total: 0, open: 0, done: 0, cancelled: 0 };
  for (const { moments } of timelines) {
    const last = moments.at(-1);
    if (!last?.inScope) continue;
    counts.total++;
    if (last.group === "completed") counts.done++;
    else if (last.group === "cancelled") counts.cancelled++;
    else counts.open++;
  }
  return counts;
}

const MESSAGES = {
  points_not_a_number: "the estimate is no number, so that the item weighs nothing in points",
  state_unknown: "no state of the item is known at some time; it counts as backlog then",
  group_unknown:
    "the group of the item's state is not known; it counts as backlog (give it in `states`)",
  before_creation: "changes are dated before the item's creation; they count as made at it",
};

const noted = (code: string, message: string) => ({
  code,
  message,
  count: 1,
  itemIds: [] as string[],
});

function warningsOf(timelines: readonly Timeline[]): FlowOutput["warnings"] {
  return Object.entries(MESSAGES).flatMap(([code, message]) => {
    const concerned = timelines.filter(({ warnings }) =>
      warnings.some((warning) => warning === code),
    );
    const itemIds = concerned.slice(0, 5).map(({ itemId }) => itemId);
    return concerned.length === 0 ? [] : { code, message, count: concerned.length, itemIds };
  });
}

/** Says it where the window begins before the retention's horizon: of what ended by then only some dates are kept. */
function beyondRetention(
  settled: readonly Settled[],
  { scope, window }: FlowInput,
  { days }: Seen,
): FlowOutput["warnings"] {
  const concerned = settled.filter((row) => row.untilMs >= days.startMs && wasEverIn(row, scope));
  if (concerned.length === 0) return [];
  const untilMs = concerned.reduce((most, row) => Math.max(most, row.untilMs), 0);
  const message =
    `of items that ended by ${dateOf(untilMs, window.timeZone)} the changes are no longer kept, only when they were ` +
    "created, first started, completed or deleted, and their last values: up to that day finished items, their lead and " +
    "cycle times are exact; burn, cumulative flow and what was in a cycle or had a label then are drawn from those dates";
  const itemIds = concerned.slice(0, 5).map(({ itemId }) => itemId);
  return [{ code: "beyond_retention", message, count: concerned.length, itemIds }];
}
