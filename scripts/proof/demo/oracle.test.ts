import { expect, test } from "vitest";
import { nearestRank } from "../../show/statistics.ts";
import { Findings } from "./check.ts";
import { checkFlow } from "./check-flow.ts";
import type { Issue } from "./history.ts";
import { replayFlow } from "./oracle.ts";

const HOUR_MS = 3_600_000;
const CREATED_MS = Date.parse("2011-03-01T12:00:00.000Z");

/** An issue of the given moves, each `[hours after the creation, status, resolution]`. */
function issue(
  key: string,
  moves: [hours: number, status: string, resolution?: string | null][],
): Issue {
  let status = "Open";
  let resolved: string | null = null;
  const changes = moves.map(([hours, to, resolution = resolved]) => {
    const items = [
      { field: "status", from: status, to },
      { field: "resolution", from: resolved, to: resolution },
    ];
    status = to;
    resolved = resolution;
    return { at: new Date(CREATED_MS + hours * HOUR_MS).toISOString(), by: "u1", items };
  });
  return {
    key,
    project: "P1",
    type: "Bug",
    priority: "Minor",
    createdAt: new Date(CREATED_MS).toISOString(),
    createdBy: "u1",
    firstStatus: "Open",
    lastStatus: status,
    changes,
  };
}
const window = { from: "2011-03-01", to: "2011-03-10" };

test("a reopened item counts once, at its last completion, without the time in which it was over", () => {
  const reopened = issue("P1-1", [
    [24, "In Progress"],
    [48, "Resolved", "Fixed"],
    [96, "Reopened", null],
    [120, "Resolved", "Fixed"],
    [144, "Closed"],
  ]);
  const flow = replayFlow([reopened], window);
  expect(flow.finished.get("P1-1")).toEqual({
    finishedAt: "2011-03-06T12:00:00.000Z",
    cycleDays: 2,
    leadDays: 5,
  });
  expect(flow.cumulativeFlow.map(({ completed }) => completed)).toEqual([
    0, 0, 1, 1, 0, 1, 1, 1, 1, 1,
  ]);
  expect(flow.throughput.days.map(({ items }) => items)).toEqual([0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
  expect(flow.throughput.weeks).toEqual([
    { monday: "2011-02-28", days: 6, items: 1 },
    { monday: "2011-03-07", days: 4, items: 0 },
  ]);
});

test("cancelled is neither open nor done; never started has no cycle time", () => {
  const flow = replayFlow(
    [
      issue("P1-1", [[1, "Closed", "Won't Fix"]]),
      issue("P1-2", [[24, "Closed", "Fixed"]]),
      issue("P1-3", []),
    ],
    window,
  );
  expect(flow.items).toEqual({ total: 3, open: 1, done: 1, cancelled: 1 });
  expect(flow.cycleTime.cycle).toEqual({ count: 0, p50Days: null, p85Days: null, p95Days: null });
  expect(flow.cycleTime.lead).toMatchObject({ count: 1, p50Days: 1 });
  expect(flow.burn.at(-1)).toEqual({ date: "2011-03-10", remaining: 1, scope: 2, done: 1 });
});

test("what happens after the window is not seen", () => {
  const flow = replayFlow([issue("P1-1", [[1_000, "Closed", "Fixed"]])], window);
  expect(flow.items).toEqual({ total: 1, open: 1, done: 0, cancelled: 0 });
  expect(
    replayFlow([issue("P1-1", [])], { from: "2011-01-01", to: "2011-02-01" }).items.total,
  ).toBe(0);
});

test("nearest ranks are values that occurred", () => {
  expect(nearestRank([3, 1, 2, 4], 50)).toBe(2);
  expect(nearestRank([3, 1, 2, 4], 85)).toBe(4);
  expect(
    nearestRank(
      Array.from({ length: 100 }, (_, i) => i + 1),
      7,
    ),
  ).toBe(7);
  expect(nearestRank([], 50)).toBeNull();
});

test("a wrong answer is found, metric by metric", () => {
  const replayed = replayFlow([issue("P1-1", [[24, "Closed", "Fixed"]])], window);
  const { finished: _, throughput, cycleTime, ...rest } = replayed;
  const good = {
    asOf: "2011-03-10T23:59:59.999Z",
    lastDay: "2011-03-10",
    ...rest,
    throughput: { ...throughput, weeks: throughput.weeks.map((week) => ({ week: "", ...week })) },
    cycleTime: { ...cycleTime, items: [{ itemId: "i1", ...times(replayed) }] },
    warnings: [],
  };
  const found = (answer: Partial<typeof good>) => {
    const findings = new Findings();
    checkFlow("P1", { ...good, ...answer }, replayed, new Map([["i1", "P1-1"]]), findings);
    return findings.examples.join("\n");
  };
  expect(found({})).toBe("");
  expect(found({ cumulativeFlow: good.cumulativeFlow.slice(1) })).toMatch(/cumulative flow of P1/);
  expect(found({ items: { ...good.items, done: 2 } })).toMatch(/items of P1: .*"done":2/);
  expect(
    found({ cycleTime: { ...good.cycleTime, items: [{ itemId: "i2", ...times(replayed) }] } }),
  ).toMatch(/unknown item i2/);
});

const times = (replayed: ReturnType<typeof replayFlow>) =>
  replayed.finished.get("P1-1") ?? { finishedAt: "", cycleDays: null, leadDays: 0 };
