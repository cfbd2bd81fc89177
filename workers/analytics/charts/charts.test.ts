import { atOnce } from "@tl-engine/shared";
import { roundTicks, thinned } from "@tl-engine/shared/charts/scales";
import { escapeText } from "@tl-engine/shared/charts/svg";
import { expect, test } from "vitest";
import { factsOf } from "../facts.ts";
import { flow } from "../flow.ts";
import { FlowInput, IngestInput, METRICS } from "../schemas.ts";
import { seededRandom } from "../simulate.ts";
import { dayTicks, durationTicks, formatDuration } from "./axes.ts";

const STATES = {
  idea: { group: "backlog" },
  todo: { group: "unstarted" },
  doing: { group: "started" },
  done: { group: "completed" },
  dropped: { group: "cancelled" },
};

/** A small tracker with something in every group. */
function sample(days: number) {
  const random = seededRandom(7);
  const start = Date.parse("2025-01-06T09:00:00Z");
  const items = Array.from({ length: 120 }, (_, i) => {
    let atMs = start + random() * days * 86_400_000;
    const createdAt = new Date(atMs).toISOString();
    const path = ["idea", "todo", "doing", random() < 0.1 ? "dropped" : "done"].slice(
      0,
      1 + Math.ceil(random() * 5),
    );
    const history = path.slice(1).map((to, n) => {
      atMs += random() ** 2 * 20 * 86_400_000;
      return { at: new Date(atMs).toISOString(), field: "state", from: path[n], to };
    });
    return { id: `<item-${i}>`, createdAt, state: path.at(-1), points: i % 5, history };
  });
  return factsOf(IngestInput.parse({ workspaceId: "w", projectId: "p", states: STATES, items }))
    .changes;
}

function draw(changes: ReturnType<typeof sample>, request: object = {}) {
  const input = FlowInput.parse({
    scope: { projectId: "p" },
    window: { from: "2025-01-06", to: "2025-06-29" },
    asOf: "2025-06-30T00:00:00.000Z",
    svg: true,
    forecast: {},
    title: 'Ñandú & <Co> "1"',
    ...request,
  });
  return atOnce(flow(input, changes, 0)).svg ?? {};
}

/** Opened and closed tags in pairs, no stray characters: enough to know that it is XML. */
function expectWellFormed(svg: string) {
  const open: string[] = [];
  const rest = svg.replace(
    /<(\/?)([a-z]+)((?:\s[a-zA-Z0-9:-]+="[^"<&]*(?:&[a-z#0-9]+;[^"<&]*)*")*)\s*(\/?)>/g,
    (_, closes, name, _attributes, single) => {
      if (closes) expect(open.pop()).toBe(name);
      else if (!single) open.push(name);
      return "";
    },
  );
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/[<>]|&(?!(?:amp|lt|gt|quot|#39);)/);
  expect(svg).not.toMatch(/NaN|Infinity|undefined|null/);
}

test("every metric and the forecast are drawn, with the title escaped", () => {
  const charts = draw(sample(150));
  expect(Object.keys(charts).sort()).toEqual([...METRICS, "forecast"].sort());
  for (const svg of Object.values(charts)) {
    expectWellFormed(svg);
    expect(svg).toContain("Ñandú &amp; &lt;Co&gt; &quot;1&quot;: ");
  }
});

test("only what was asked for is drawn", () => {
  expect(Object.keys(draw(sample(150), { metrics: ["burn"], forecast: undefined }))).toEqual([
    "burn",
  ]);
});

test.each([
  ["nothing at all", [], {}],
  ["one day", sample(1), { window: { from: "2025-01-06", to: "2025-01-06" } }],
  ["a window before everything", sample(150), { window: { from: "2020-01-01", to: "2020-02-01" } }],
  ["a window that has not begun", sample(150), { asOf: "2024-01-01T00:00:00Z" }],
  [
    "ten years",
    sample(1_500),
    { window: { from: "2020-01-01", to: "2029-12-31" }, asOf: "2030-01-01T00:00:00Z" },
  ],
  ["how many", sample(150), { forecast: { until: "2025-09-30" } }],
  ["points", sample(150), { unit: "points" }],
])("draws %s", (_, changes, request) => {
  for (const svg of Object.values(draw(changes, request))) expectWellFormed(svg);
});

test("a long history makes no long picture", () => {
  const charts = draw(sample(1_500), {
    window: { from: "2020-01-01", to: "2029-12-31" },
    asOf: "2030-01-01T00:00:00Z",
  });
  for (const svg of Object.values(charts)) expect(svg.length).toBeLessThan(100_000);
});

test("text that XML can't hold is replaced", () => {
  expect(escapeText("a\u0000b\u001b[31m\ud800c\u{1f600}")).toBe(
    "a\ufffdb\ufffd[31m\ufffdc\u{1f600}",
  );
});

test("ticks are round numbers, calendar days, and durations that people think in", () => {
  expect(roundTicks(871)).toEqual([0, 200, 400, 600, 800, 1000]);
  expect(roundTicks(3)).toEqual([0, 1, 2, 3]);
  expect(roundTicks(0)).toEqual([0, 1]);
  const labels = (ticks: { label: string }[]) => ticks.map(({ label }) => label);
  expect(labels(dayTicks("2025-03-03", 7))).toEqual([
    "3 Mar",
    "4 Mar",
    "5 Mar",
    "6 Mar",
    "7 Mar",
    "8 Mar",
    "9 Mar",
  ]);
  expect(dayTicks("2025-03-05", 28)).toEqual([
    { at: 5, label: "10 Mar" },
    { at: 12, label: "17 Mar" },
    { at: 19, label: "24 Mar" },
    { at: 26, label: "31 Mar" },
  ]);
  expect(labels(dayTicks("2024-11-15", 120))).toEqual(["Dec 2024", "Jan 2025", "Feb", "Mar"]);
  expect(labels(dayTicks("2010-06-01", 3_000))).toEqual([
    "2011",
    "2012",
    "2013",
    "2014",
    "2015",
    "2016",
    "2017",
    "2018",
  ]);
  expect(labels(durationTicks(2, 80))).toEqual([
    "1 day",
    "3 days",
    "1 week",
    "1 month",
    "3 months",
  ]);
  expect([0.5 / 24, 0.2, 1, 3.25, 75, 800].map(formatDuration)).toEqual([
    "30 minutes",
    "4.8 hours",
    "1 day",
    "3.3 days",
    "2.5 months",
    "2.2 years",
  ]);
  expect(thinned(1_000, 4)).toEqual([0, 250, 500, 750, 999]);
});
