/** What is purged changes no answer about the time since: flow before and after are the same. */

import { atOnce } from "@tl-engine/shared";
import fc from "fast-check";
import { expect, test } from "vitest";
import { flow } from "./flow.ts";
import { FlowInput, type FlowOutput } from "./schemas.ts";
import { settle } from "./settle.ts";
import type { Settled } from "./settled.ts";
import { asEvents, DAY, history, inBulk, iso, stored } from "./testing/histories.ts";
import type { Change } from "./timeline.ts";

interface Kept {
  changes: Change[];
  settled: Map<string, Settled>;
}

/** What a purge makes of it; facts of a settled item that came again are in its row. */
function purged({ changes, settled }: Kept, horizonMs: number): Kept {
  const after: Kept = { changes: [], settled: new Map(settled) };
  for (const [itemId, ofItem] of Map.groupBy(changes, (change) => change.itemId)) {
    const before = settled.get(itemId);
    const isOld = ofItem.every(({ atMs }) => atMs < horizonMs);
    const isNews = !before || ofItem.some(({ atMs }) => atMs > before.untilMs);
    const row = isOld && isNews ? atOnce(settle(ofItem, before)) : undefined;
    if (row) after.settled.set(itemId, row);
    else if (isNews || !isOld) after.changes.push(...ofItem);
  }
  return after;
}

const START_MS = Date.parse("2025-03-01T00:00:00Z");
const day = fc.integer({ min: 0, max: 70 });
const request = fc.record({
  horizons: fc.tuple(day, day).map((days) => days.toSorted((a, b) => a - b)),
  from: fc.integer({ min: -30, max: 20 }),
  length: fc.integer({ min: 0, max: 60 }),
  scope: fc.constantFrom({ projectId: "p" }, { cycleId: "c1" }, { cycleId: "c2", labelId: "bug" }),
  unit: fc.constantFrom("items", "points"),
  asOfDays: fc.double({ min: 0, max: 30, noNaN: true }),
});

/** A window that ends after the last horizon, which it may begin before. */
function inputOf({
  horizons,
  from,
  length,
  asOfDays,
  ...rest
}: typeof request extends fc.Arbitrary<infer T> ? T : never) {
  const horizonMs = START_MS + (horizons[1] as number) * DAY;
  const date = (days: number) => iso(horizonMs + days * DAY).slice(0, 10);
  return FlowInput.parse({
    ...rest,
    window: { from: date(from), to: date(Math.max(0, from) + length), timeZone: "UTC" },
    asOf: iso(Math.round(horizonMs + asOfDays * DAY)),
    forecast: { simulations: 100 },
  });
}

/** What must stay the same: all of it, but for the days before the horizon and the doubts about them. */
function comparable(output: FlowOutput, { window, scope }: FlowInput, firstDay: string) {
  const since = <Day extends { date: string }>(days: Day[] = []) =>
    days.filter(({ date }) => date >= firstDay);
  const { burn, cumulativeFlow, warnings, ...rest } = output;
  // Who had the label and was in the cycle is known, but not who did so at once: doubts about one more may be told.
  const isApproximate = scope.cycleId !== undefined && scope.labelId !== undefined;
  const isAsked = ({ code }: FlowOutput["warnings"][0]) =>
    !isApproximate && (window.from >= firstDay || code !== "beyond_retention");
  return {
    ...rest,
    ...{ burn: since(burn), cumulativeFlow: since(cumulativeFlow) },
    warnings: warnings.filter(isAsked),
  };
}

const runs = { numRuns: Number(process.env.FAST_CHECK_RUNS ?? 2_000) };

test("a window since the horizon is answered as before, and an earlier one in its lead times and throughput", () => {
  let settledItems = 0;
  fc.assert(
    fc.property(history, request, fc.infiniteStream(fc.boolean()), (items, asked, coins) => {
      const input = inputOf(asked);
      const [firstMs, lastMs] = asked.horizons.map((days) => START_MS + days * DAY);
      const all = stored(items.flatMap(inBulk));
      const known = all.filter(({ atMs }) => atMs < (firstMs as number) + 5 * DAY);
      const first = purged({ changes: known, settled: new Map() }, firstMs as number);
      // Then the rest comes, and much of what was there once more, and of some items all as events.
      const isTold = () => coins.next().value === true;
      const again = [
        ...all.filter(({ atMs }) => atMs >= (firstMs as number) || isTold()),
        ...items.filter(isTold).flatMap((item) => asEvents(item).flat()),
      ];
      const between = { ...first, changes: stored([...again, ...first.changes]) };
      const last = purged(between, lastMs as number);
      settledItems += last.settled.size;

      const firstDay = iso(lastMs as number).slice(0, 10);
      const answer = ({ changes, settled }: Kept) =>
        comparable(atOnce(flow(input, changes, 0, [...settled.values()])), input, firstDay);
      const before = answer({ changes: all, settled: new Map() });
      expect(answer(between)).toEqual(before);
      expect(answer(last)).toEqual(before);
      // Idempotent, whatever comes again.
      expect(purged(last, lastMs as number)).toEqual(last);
    }),
    runs,
  );
  expect(settledItems).toBeGreaterThan(runs.numRuns / 2);
}, 120_000);
