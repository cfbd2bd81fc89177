/** Flow equals a naive replay, day by day and item by item, however the history arrives. */

import { atOnce } from "@tl-engine/shared";
import fc from "fast-check";
import { expect, test } from "vitest";
import { flow } from "./flow.ts";
import { FlowInput, type FlowOutput, type StateGroup } from "./schemas.ts";
import {
  asEvents,
  DAY,
  GROUPS,
  history,
  type Item,
  inBulk,
  iso,
  stored,
} from "./testing/histories.ts";
import type { Change } from "./timeline.ts";

// ── The oracle: for each day, look at every change of every item ────────────────────────────────

const remembered = new Map<string, number>();

/** The first instant, in steps of a quarter of an hour, of a local day later than the date. */
function endOfDay(date: string, timeZone: string): number {
  const key = `${date} ${timeZone}`;
  const localDate = new Intl.DateTimeFormat("sv-SE", { timeZone });
  let ms = remembered.get(key) ?? Date.parse(`${date}T00:00:00Z`) - 15 * 3_600_000;
  while (localDate.format(ms) <= date) ms += 900_000;
  remembered.set(key, ms);
  return ms;
}

/** The item as it is just before an instant; undefined when it is not there. */
function at(item: Item, endMs: number) {
  if (item.createdMs >= endMs) return undefined;
  const now = {
    state: item.start.state,
    points: item.start.points,
    labels: new Set(item.start.labels),
    cycles: new Set(item.start.cycles),
  };
  for (const step of item.steps) {
    if (step.atMs >= endMs) continue;
    if (step.field === "deleted") return undefined;
    if (step.field === "state") now.state = step.to as string;
    else if (step.field === "points") now.points = step.to;
    else {
      const set = step.field === "label" ? now.labels : now.cycles;
      if (step.from) set.delete(step.from);
      if (step.to) set.add(step.to);
    }
  }
  return {
    ...now,
    group: GROUPS[now.state] as StateGroup,
    weight: Number.isNaN(Number(now.points)) ? 0 : Number(now.points),
  };
}

function oracle(items: Item[], input: ReturnType<typeof FlowInput.parse>) {
  const { from, to, timeZone } = input.window;
  const { cycleId, labelId } = input.scope;
  const asOfMs = Date.parse(input.asOf as string);
  const scoped = (item: Item, endMs: number) => {
    const now = at(item, endMs);
    return now && (!cycleId || now.cycles.has(cycleId)) && (!labelId || now.labels.has(labelId))
      ? now
      : undefined;
  };
  const startMs = endOfDay(new Date(Date.parse(from) - DAY).toISOString().slice(0, 10), timeZone);
  const burn: FlowOutput["burn"] = [];
  const cumulativeFlow: FlowOutput["cumulativeFlow"] = [];
  const ends: [string, number][] = [];
  let dayStartMs = startMs;
  for (let ms = Date.parse(from); ms <= Date.parse(to); ms += DAY) {
    if (dayStartMs > asOfMs) break;
    const date = new Date(ms).toISOString().slice(0, 10);
    dayStartMs = endOfDay(date, timeZone);
    const endMs = Math.min(dayStartMs, asOfMs + 1);
    ends.push([date, endMs]);
    const groups = { backlog: 0, unstarted: 0, started: 0, completed: 0, cancelled: 0 };
    const weights = { ...groups };
    for (const item of items) {
      const now = scoped(item, endMs);
      if (!now) continue;
      groups[now.group] += 1;
      weights[now.group] += now.weight;
    }
    const by = input.unit === "items" ? groups : weights;
    const remaining = by.backlog + by.unstarted + by.started;
    burn.push({ date, remaining, scope: remaining + by.completed, done: by.completed });
    cumulativeFlow.push({ date, ...groups });
  }
  const endMs = ends.at(-1)?.[1] ?? Math.min(startMs, asOfMs + 1);
  const all = items.map((item) => ({ item, now: scoped(item, endMs) }));

  /** Milliseconds from one instant to another in which the item was neither completed nor cancelled, by each change's interval. */
  const working = (item: Item, fromMs: number, toMs: number) => {
    const cuts = [
      fromMs,
      toMs,
      ...item.steps.map((step) => step.atMs).filter((ms) => ms > fromMs && ms < toMs),
    ].sort((a, b) => a - b);
    let sum = 0;
    for (let i = 1; i < cuts.length; i++) {
      const state = stateBefore(item, (cuts[i - 1] as number) + 1);
      if (!["completed", "cancelled"].includes(GROUPS[state] as string))
        sum += (cuts[i] as number) - (cuts[i - 1] as number);
    }
    return sum;
  };
  const visits = (item: Item) =>
    [
      { atMs: item.createdMs, to: item.start.state },
      ...item.steps.filter((s) => s.field === "state"),
    ].filter(({ atMs }) => atMs < endMs);
  const firstStart = (item: Item) =>
    visits(item).find(({ to }) => GROUPS[to as string] === "started")?.atMs;

  const finished = all.flatMap(({ item, now }) => {
    if (now?.group !== "completed") return [];
    let finishedMs = 0;
    let before: string | undefined;
    for (const { atMs, to: state } of visits(item)) {
      const group = GROUPS[state as string];
      if (group === "completed" && before !== "completed") finishedMs = atMs;
      before = group;
    }
    if (finishedMs < startMs) return [];
    const start = firstStart(item);
    return {
      id: item.id,
      finishedMs,
      date: (ends.find(([, end]) => finishedMs < end) as [string, number])[0],
      cycleDays: start === undefined ? null : working(item, start, finishedMs) / DAY,
      leadDays: (finishedMs - item.createdMs) / DAY,
      weight: now.weight,
      cycles: [...now.cycles],
    };
  });
  const nearestRank = (values: number[], percent: number) => {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted.find((_, i) => (i + 1) * 100 >= percent * sorted.length) ?? null;
  };
  const durations = (values: number[]) => ({
    count: values.length,
    p50Days: nearestRank(values, 50),
    p85Days: nearestRank(values, 85),
    p95Days: nearestRank(values, 95),
  });
  const count = (test: (group: StateGroup) => boolean) =>
    all.filter(({ now }) => now && test(now.group)).length;
  const cycles = [...new Set(finished.flatMap((item) => item.cycles))].sort();
  return {
    lastDay: ends.at(-1)?.[0] ?? null,
    items: {
      total: count(() => true),
      open: count((g) => g === "backlog" || g === "unstarted" || g === "started"),
      done: count((g) => g === "completed"),
      cancelled: count((g) => g === "cancelled"),
    },
    burn,
    cumulativeFlow,
    cycle: durations(finished.flatMap(({ cycleDays }) => cycleDays ?? [])),
    lead: durations(finished.map(({ leadDays }) => leadDays)),
    finished: new Map(finished.map(({ id, cycleDays, leadDays }) => [id, { cycleDays, leadDays }])),
    throughput: ends.map(([date]) => ({
      date,
      items: finished.filter((item) => item.date === date).length,
    })),
    velocity: cycles.map((cycle) => {
      const inCycle = finished.filter((item) => item.cycles.includes(cycle));
      return {
        cycleId: cycle,
        items: inCycle.length,
        points: inCycle.reduce((sum, item) => sum + item.weight, 0),
      };
    }),
    points: finished.reduce((sum, { weight }) => sum + weight, 0),
    aging: new Map(
      all.flatMap(({ item, now }) =>
        now?.group === "started"
          ? [[item.id, working(item, firstStart(item) as number, Math.min(endMs, asOfMs)) / DAY]]
          : [],
      ),
    ),
  };
}

function stateBefore(item: Item, endMs: number): string {
  let state = item.start.state;
  for (const step of item.steps)
    if (step.field === "state" && step.atMs < endMs) state = step.to as string;
  return state;
}

// ── The properties ──────────────────────────────────────────────────────────────────────────────

const request = fc
  .record({
    from: fc.integer({ min: -3, max: 45 }),
    length: fc.integer({ min: 0, max: 60 }),
    timeZone: fc.constantFrom(
      "UTC",
      "Europe/Madrid",
      "America/New_York",
      "Australia/Lord_Howe",
      "Asia/Kolkata",
      "Africa/Cairo",
    ),
    scope: fc.constantFrom(
      { projectId: "p" },
      { projectIds: ["p"] },
      { cycleId: "c1" },
      { cycleId: "c2", labelId: "bug" },
    ),
    unit: fc.constantFrom("items", "points"),
    asOf: fc.oneof(
      fc.constant("2026-01-01T00:00:00.000Z"),
      fc.integer({ min: 0, max: 90 * DAY }).map((ms) => iso(Date.parse("2025-03-01") + ms)),
    ),
  })
  .map(({ from, length, timeZone, ...rest }) => {
    const day = (n: number) => iso(Date.parse("2025-03-10") + n * DAY).slice(0, 10);
    return FlowInput.parse({
      ...rest,
      window: { from: day(from), to: day(from + length), timeZone },
    });
  });

const runs = { numRuns: Number(process.env.FAST_CHECK_RUNS ?? 300) };

test("equals the naive replay", () => {
  fc.assert(
    fc.property(history, request, (items, input) => {
      const output = atOnce(flow(input, stored(items.flatMap(inBulk)), 0));
      const expected = oracle(items, input);
      expect(output.lastDay).toBe(expected.lastDay);
      expect(output.items).toEqual(expected.items);
      expect(output.burn).toEqual(expected.burn);
      expect(output.cumulativeFlow).toEqual(expected.cumulativeFlow);
      expect(output.cycleTime?.cycle).toEqual(expected.cycle);
      expect(output.cycleTime?.lead).toEqual(expected.lead);
      expect(
        new Map(
          output.cycleTime?.items.map(({ itemId, cycleDays, leadDays }) => [
            itemId,
            { cycleDays, leadDays },
          ]),
        ),
      ).toEqual(expected.finished);
      expect(output.throughput?.days).toEqual(expected.throughput);
      expect(output.velocity?.cycles).toEqual(expected.velocity);
      const sum = (values: number[] = []) => values.reduce((a, b) => a + b, 0);
      expect(sum(output.throughput?.weeks.map((week) => week.items))).toBe(expected.finished.size);
      expect(sum(output.velocity?.weeks.map((week) => week.points))).toBe(expected.points);
      expect(sum(output.throughput?.weeks.map((week) => week.days))).toBe(expected.burn.length);
      expect(new Map(output.aging?.items.map(({ itemId, ageDays }) => [itemId, ageDays]))).toEqual(
        expected.aging,
      );
    }),
    runs,
  );
}, 120_000);

test("is the same whether the history came in bulk, as events, or both, in any order and repetition", () => {
  fc.assert(
    fc.property(
      history,
      request,
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
      (items, input, dice) => {
        const shuffled = <Value>(values: Value[]) =>
          values
            .map((value) => [dice.next().value as number, value] as const)
            .sort(([a], [b]) => a - b)
            .map(([, value]) => value);
        const bulk = items.map(inBulk);
        const events = items.flatMap(asEvents);
        const expected = atOnce(flow(input, stored(bulk.flat()), 0));
        const arrive = (arrivals: Change[][]) =>
          atOnce(
            flow(
              input,
              stored(
                shuffled([
                  ...arrivals,
                  ...arrivals.filter(() => (dice.next().value as number) < 0.4),
                ]).flat(),
              ),
              0,
            ),
          );
        expect(arrive(bulk)).toEqual(expected);
        expect(arrive(events)).toEqual(expected);
        expect(arrive([...bulk, ...events])).toEqual(expected);
      },
    ),
    runs,
  );
}, 120_000);
