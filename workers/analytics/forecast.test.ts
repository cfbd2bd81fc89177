import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { atOnce } from "@tl-engine/shared";
import { expect, test } from "vitest";
import { factsOf } from "./facts.ts";
import { flow } from "./flow.ts";
import { forecast } from "./forecast.ts";
import { percentile } from "./percentile.ts";
import { FlowInput, ForecastInput, IngestInput } from "./schemas.ts";
import { seededRandom, walker } from "./simulate.ts";

const steady = (perDay: number, days = 200) => new Float64Array(days).fill(perDay);
const ask = (perDay: Float64Array, remaining: number, input: object = {}) =>
  atOnce(forecast(perDay, "2025-06-30", remaining, ForecastInput.parse(input))).forecast;

test("percentiles are nearest ranks", () => {
  expect(percentile([], 50)).toBeNull();
  expect(percentile([7], 1)).toBe(7);
  expect(percentile([1, 2, 3, 4], 50)).toBe(2);
  expect(percentile([1, 2, 3, 4], 51)).toBe(3);
  // 7 % of 100 is 7.000000000000001 in floating point.
  expect(
    percentile(
      Array.from({ length: 100 }, (_, i) => i + 1),
      7,
    ),
  ).toBe(7);
});

test("the same seed gives the same forecast, another one nearly the same", () => {
  const perDay = Float64Array.from({ length: 200 }, (_, i) => (i % 3 === 0 ? 2 : 0));
  const days = (seed: number) =>
    ask(perDay, 40, { seed }).percentiles.map((answer) => answer.days as number);
  expect(days(1)).toEqual(days(1));
  expect(days(2)).not.toEqual(days(1));
  days(2).forEach((value, i) => {
    expect(Math.abs(value - (days(1)[i] as number))).toBeLessThanOrEqual(3);
  });
});

test("more confidence takes longer, and the date is so many days after the last one seen", () => {
  const answer = ask(steady(1), 30, { percentiles: [95, 50, 85] });
  const [most, half, usual] = answer.percentiles.map(({ days }) => days as number) as [
    number,
    number,
    number,
  ];
  expect(half).toBeLessThanOrEqual(usual);
  expect(usual).toBeLessThanOrEqual(most);
  expect(Math.abs(half - 30)).toBeLessThanOrEqual(2);
  expect(answer.percentiles[1]?.date).toBe(
    new Date(Date.UTC(2025, 5, 30 + half)).toISOString().slice(0, 10),
  );
});

test("how many: more confidence promises less", () => {
  const answer = ask(steady(2), 0, { until: "2025-07-30" });
  const [half, usual, most] = answer.percentiles.map(({ items }) => items as number) as [
    number,
    number,
    number,
  ];
  expect(answer).toMatchObject({ question: "how many", until: "2025-07-30", remaining: null });
  expect(Math.abs(half - 60)).toBeLessThanOrEqual(4);
  expect(half).toBeGreaterThan(usual);
  expect(usual).toBeGreaterThan(most);
});

test("without a finished item there is no date; with nothing remaining it is today", () => {
  expect(
    ask(steady(0), 5).percentiles.every(({ date, days }) => date === null && days === null),
  ).toBe(true);
  expect(ask(new Float64Array(0), 5).percentiles[0]).toMatchObject({ date: null });
  expect(ask(steady(1), 0).percentiles[0]).toMatchObject({ days: 0, date: "2025-06-30" });
});

test("recent days weigh more: half for each quarter of the history", () => {
  const perDay = Float64Array.from({ length: 200 }, (_, i) => (i < 150 ? 0 : 1));
  const walk = walker(perDay, seededRandom(1));
  let sum = 0;
  const record = new Int32Array(28);
  for (let i = 0; i < 4_000; i++) {
    walk(1, Number.POSITIVE_INFINITY, record);
    sum += record[0] as number;
  }
  // Of the weights 1, ½, ¼, ⅛ of the quarters the last has 8/15; the pace's mean is a bit above 1.
  expect(sum / 4_000).toBeGreaterThan(0.5);
  expect(sum / 4_000).toBeLessThan(0.6);
});

test("`until` has to lie ahead", () => {
  const input = FlowInput.parse({
    scope: { projectId: "p" },
    window: { from: "2025-06-01", to: "2025-06-30" },
    asOf: "2025-08-01T00:00:00.000Z",
    forecast: { until: "2025-06-30" },
  });
  expect(() => atOnce(flow(input, [], 0))).toThrow(
    "forecast.until must be 1 to 1826 days after 2025-06-30",
  );
});

test("a forecast that would take too long is refused with what to lower", () => {
  const simulating = (forecast: object) => () =>
    atOnce(
      flow(
        FlowInput.parse({
          scope: { projectId: "p" },
          window: { from: "2025-06-01", to: "2025-06-30" },
          asOf: "2025-08-01T00:00:00.000Z",
          forecast,
        }),
        [],
        0,
      ),
    );
  expect(simulating({ simulations: 27_383 })).toThrow(
    "the forecast would simulate up to 27383 × 1826 days, more than 50000000; lower forecast.simulations to 27382",
  );
  expect(simulating({ simulations: 27_382 })).not.toThrow();
  expect(simulating({ simulations: 100_000, until: "2026-11-13" })).toThrow(
    "100000 × 501 days, more than 50000000; lower forecast.simulations to 99800, or ask about an earlier forecast.until",
  );
  expect(simulating({ simulations: 100_000, until: "2026-11-12" })).not.toThrow();
});

test("young and idle scopes are warned about", () => {
  const input = FlowInput.parse({
    scope: { projectId: "p" },
    window: { from: "2025-06-01", to: "2025-06-30" },
    asOf: "2025-08-01T00:00:00.000Z",
    forecast: {},
    svg: true,
  });
  const { changes } = factsOf(
    IngestInput.parse({
      workspaceId: "w",
      projectId: "p",
      items: [{ id: "a", createdAt: "2025-06-20T00:00:00.000Z" }],
    }),
  );
  const output = atOnce(flow(input, changes, 0));
  expect(output.warnings.map(({ code }) => code)).toEqual([
    "state_unknown",
    "short_history",
    "no_throughput",
  ]);
  expect(output.forecast).toMatchObject({
    remaining: 1,
    historyDays: 11,
    percentiles: [{ date: null }, { date: null }, { date: null }],
  });
  expect(output.svg?.forecast).toContain("not done within five years");
});

// ── On a real tracker, where its history is at hand ─────────────────────────────────────────────

const HISTORY =
  process.env.TRACKER_HISTORY ??
  join(import.meta.dirname, "../../../shared/data/tracker-history.ndjson.gz");
const GROUPS: Record<string, string> = {
  Received: "backlog",
  Open: "unstarted",
  Reopened: "unstarted",
  "In Progress": "started",
  "In Review": "started",
  Resolved: "completed",
  Closed: "completed",
};
interface Issue {
  key: string;
  project: string;
  createdAt: string;
  lastStatus: string;
  changes: { at: string; items: { field: string; from: string | null; to: string | null }[] }[];
}

/** Coverage of each project with enough history, and of all together, weighted by their tests. */
function measuredCoverage(file: string) {
  const issues: Issue[] = gunzipSync(readFileSync(file))
    .toString()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const states = Object.fromEntries(
    Object.entries(GROUPS).map(([id, group]) => [id, { name: id, group }]),
  );
  const projects = Map.groupBy(issues, ({ project }) => project);
  return [...projects].flatMap(([projectId, ofProject]) => {
    const items = ofProject.map(({ key, createdAt, lastStatus, changes }) => ({
      id: key,
      createdAt,
      state: lastStatus,
      history: changes.flatMap(({ at, items: parts }) =>
        parts.flatMap(({ field, from, to }) =>
          field === "status" ? { at, field: "state", from, to } : [],
        ),
      ),
    }));
    const { changes } = factsOf(IngestInput.parse({ workspaceId: "w", projectId, states, items }));
    const last = new Date(Math.max(...changes.map(({ atMs }) => atMs))).toISOString().slice(0, 10);
    const input = FlowInput.parse({
      scope: { projectId },
      window: { from: last, to: last },
      metrics: [],
      forecast: { simulations: 100 },
    });
    const { forecast: answer } = atOnce(flow(input, changes, Date.now()));
    return answer ? [{ projectId, items: items.length, calibration: answer.calibration }] : [];
  });
}

test.skipIf(!existsSync(HISTORY))(
  "on a real tracker an interval of 85 % holds 80 to 90 % of the outcomes",
  () => {
    const measured = measuredCoverage(HISTORY);
    for (const index of [0, 1]) {
      const tested = measured
        .flatMap(({ calibration }) => calibration[index] ?? [])
        .filter(({ tests }) => tests > 0);
      const mean = (of: "covered" | "coveredOneSided") =>
        tested.reduce((sum, coverage) => sum + (coverage[of] ?? 0) * coverage.tests, 0) /
        tested.reduce((sum, { tests }) => sum + tests, 0);
      const large = measured.filter(({ items }) => items >= 500);
      console.log(
        `coverage at ${tested[0]?.horizonDays} days: interval ${mean("covered").toFixed(3)}, one-sided ${mean("coveredOneSided").toFixed(3)}; ` +
          large
            .map(
              ({ projectId, calibration }) =>
                `${projectId} ${calibration[index]?.covered?.toFixed(3)}/${calibration[index]?.coveredOneSided?.toFixed(3)}`,
            )
            .join(", "),
      );
      expect(large.length).toBeGreaterThan(0);
      const shares = [
        mean("covered"),
        ...large.flatMap(({ calibration }) => [
          calibration[index]?.covered ?? 0,
          calibration[index]?.coveredOneSided ?? 0,
        ]),
      ];
      for (const share of shares) {
        expect(share).toBeGreaterThanOrEqual(0.8);
        expect(share).toBeLessThanOrEqual(0.9);
      }
    }
  },
  60_000,
);

test("the fan reaches every date that is told, however far ahead", () => {
  // One item every ten days, 130 to do: some 1,300 days.
  const slow = Float64Array.from({ length: 365 }, (_, day) => (day % 10 === 0 ? 1 : 0));
  for (const percentiles of [[50, 85], [99]]) {
    const ahead = atOnce(forecast(slow, "2025-06-30", 130, ForecastInput.parse({ percentiles })));
    const told = ahead.forecast.percentiles.map(({ days }) => days ?? 0);
    expect(Math.max(...told)).toBeGreaterThan(1_100);
    expect(atOnce(ahead.fan()).median.length).toBeGreaterThanOrEqual(Math.max(...told));
  }
});
