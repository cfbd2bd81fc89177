/** The whole simulation as one SVG: what it came to on top, and per engine what came, what waited, who worked, how long it took. */
import { linear, type Scale, type Tick } from "@tl-engine/shared/charts/scales";
import { COLOURS, px, svgDocument, text } from "@tl-engine/shared/charts/svg";
import type { Load } from "./loads.ts";
import { drawPanel, type Panel, type Plot } from "./panel.ts";
import { dollars, duration, isDays, whole } from "./report.ts";
import { type EngineResult, perMonth, type Result } from "./result.ts";

const WIDTH = 1_200;
const MARGIN = 34;
const GUTTER = 66;
const CARDS = { top: 84, height: 70, gap: 12 };
const COLUMN_TOP = 190;
const PANEL = { height: 118, gap: 62 };
/** An engine with a smaller share of the jobs is in the table only. */
const LEAST_SHARE = 0.005;
const MOST_COLUMNS = 3;

export function drawPicture(result: Result, load: Load): string {
  const shown = result.engines
    .filter(({ jobs }) => jobs > LEAST_SHARE * result.jobs)
    .slice(0, MOST_COLUMNS);
  const height = COLUMN_TOP + 34 + 4 * (PANEL.height + PANEL.gap) + 18;
  const columnWidth = (WIDTH - 2 * MARGIN) / Math.max(1, shown.length);
  const columns = shown.map((engine, index) =>
    drawEngine(engine, load, MARGIN + index * columnWidth, columnWidth),
  );
  const title = `Simulation: ${result.title}`;
  const about = `Virtual time through KEDA's loop and the HPA, seed ${result.seed}, ${clockSpan(result)}`;
  return svgDocument({ width: WIDTH, height, radius: 12, title, about }, [
    text(MARGIN, 42, title, { size: 22, weight: 600, colour: COLOURS.ink }),
    text(MARGIN, 64, about, { size: 13 }),
    drawCards(result),
    ...columns,
  ]);
}

function clockSpan({ durationS, clockS }: Result): string {
  if (durationS > 86_400) return `${Number((durationS / 86_400).toFixed(1))} days from Monday`;
  const clock = (s: number) =>
    new Date((clockS + s) * 1_000)
      .toISOString()
      .slice(11, 16)
      .replace("00:00", s > 0 ? "24:00" : "00:00");
  return `${clock(0)} to ${clock(durationS)} UTC`;
}

function drawCards(result: Result): string {
  const { wait } = result;
  const late = result.jobs === 0 ? 0 : (100 * result.late) / result.jobs;
  const cost = isDays(result)
    ? `${dollars(result.costUsd * perMonth(result))} a month like it`
    : `${result.podHours.toFixed(1)} pod-hours`;
  const killed = result.engines.reduce((sum, { podsKilled }) => sum + podsKilled, 0);
  const cards: [string, string, string, boolean][] = [
    ["Jobs", whole(result.jobs), `${whole(result.done)} done at the end`, false],
    ["Half waited at most", duration(wait.p50S), `99 %: ${duration(wait.p99S)}`, false],
    ["95 % waited at most", duration(wait.p95S), `the longest: ${duration(wait.maxS)}`, false],
    [
      "Late",
      `${late.toFixed(late > 0 && late < 10 ? 1 : 0)} %`,
      `${whole(result.late)} jobs`,
      late >= 5,
    ],
    [
      "Pods at most",
      String(result.maxPods),
      `${killed} killed in a job · ${result.maxNodes} ${result.maxNodes === 1 ? "node" : "nodes"}`,
      killed > 0,
    ],
    ["Cost of pods", dollars(result.costUsd), cost, false],
  ];
  const width = (WIDTH - 2 * MARGIN - (cards.length - 1) * CARDS.gap) / cards.length;
  return cards
    .map(([label, value, note, bad], index) => {
      const x = MARGIN + index * (width + CARDS.gap);
      const colour = bad ? COLOURS.vermilion : COLOURS.ink;
      return (
        `<rect x="${px(x)}" y="${CARDS.top}" width="${px(width)}" height="${CARDS.height}" rx="8" fill="#f6f8fa"/>` +
        text(x + 12, CARDS.top + 20, label, { size: 12 }) +
        text(x + 12, CARDS.top + 44, value, { size: 20, weight: 600, colour }) +
        text(x + 12, CARDS.top + 61, note, { size: 11 })
      );
    })
    .join("\n");
}

function drawEngine(engine: EngineResult, load: Load, left: number, width: number): string {
  const { series } = engine;
  const bins = series.ready.length;
  const [plotLeft, plotRight] = [left + GUTTER - 14, left + width - 14];
  const x = linear(0, bins, plotLeft, plotRight);
  const xOfSecond = (atS: number) => x(Math.min(bins, Math.max(0, atS / series.binS)));
  const times = timeTicks(load, series.binS, width);
  const panels = panelsOf(engine);
  const drawn = panels.map((panel, index) => {
    const top = COLUMN_TOP + 48 + index * (PANEL.height + PANEL.gap);
    const plot: Plot = { left: plotLeft, right: plotRight, top, bottom: top + PANEL.height };
    return (
      drawSpans(load, plot, xOfSecond, index === 0) +
      drawPanel(plot, panel, x, times) +
      clockLabels(times, x, plot)
    );
  });
  const heading = text(plotLeft, COLUMN_TOP + 8, engine.engine, {
    size: 17,
    weight: 600,
    colour: COLOURS.blue,
  });
  return heading + drawn.join("\n");
}

const clockLabels = (times: readonly Tick[], x: Scale, { bottom }: Plot) =>
  times
    .map(({ at, label }) => text(x(at), bottom + 17, label, { size: 11, anchor: "middle" }))
    .join("");

/** Shades the time of an outage or of slow jobs. */
function drawSpans(load: Load, plot: Plot, x: Scale, named: boolean): string {
  const spans = [
    { span: load.outage, label: "no broker", colour: COLOURS.vermilion },
    { span: load.slow, label: "slow jobs", colour: COLOURS.orange },
  ];
  return spans
    .map(({ span, label, colour }) => {
      if (!span) return "";
      const [from, to] = [x(span.fromS), x(span.toS)];
      const shade = `<rect x="${px(from)}" y="${plot.top}" width="${px(to - from)}" height="${plot.bottom - plot.top}" fill="${colour}" fill-opacity="0.12"/>`;
      return (
        shade +
        (named
          ? text((from + to) / 2, plot.top + 13, label, {
              size: 11,
              anchor: "middle",
              colour,
              weight: 600,
              halo: true,
            })
          : "")
      );
    })
    .join("");
}

function panelsOf({
  series,
  wait,
  targetWaitS,
  maxReplicaCount,
  podsStarted,
}: EngineResult): Panel[] {
  return [
    {
      title: "Jobs per second",
      least: 1,
      curves: [
        { label: "published", colour: COLOURS.sky, values: series.arrivedPerS, as: "area" },
        { label: "done", colour: COLOURS.green, values: series.donePerS, as: "line" },
      ],
    },
    {
      title: "Jobs waiting",
      least: 10,
      curves: [{ label: "waiting", colour: COLOURS.orange, values: series.waiting, as: "area" }],
    },
    {
      title: "Pods",
      events: {
        label: `${whole(podsStarted)} starts`,
        colour: COLOURS.orange,
        counts: series.starts,
      },
      least: 2,
      level: {
        label: `maxReplicaCount ${maxReplicaCount}`,
        colour: COLOURS.vermilion,
        at: maxReplicaCount,
      },
      curves: [
        {
          label: "wanted",
          colour: COLOURS.purple,
          values: series.wanted,
          as: "steps",
          dash: "4 3",
        },
        { label: "ready", colour: COLOURS.blue, values: series.ready, as: "steps" },
      ],
    },
    {
      title: "Wait until the start, p95",
      least: Math.min(targetWaitS, Math.max(1, wait.maxS)),
      isTime: true,
      level: {
        label: `target ${duration(targetWaitS)}`,
        colour: COLOURS.vermilion,
        at: targetWaitS,
      },
      curves: [{ label: "p95", colour: COLOURS.ink, values: series.p95WaitS, as: "area" }],
    },
  ];
}

const STEPS_MIN = [5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1_440, 2_880, 10_080];

/** Round times of the clock, as many as the column has room for; days from two days on. */
function timeTicks({ durationS, clockS }: Load, binS: number, width: number): Tick[] {
  const most = width / 70;
  const stepS = 60 * (STEPS_MIN.find((minutes) => durationS / 60 / minutes <= most) ?? 44_640);
  const ticks: Tick[] = [];
  for (let atS = (stepS - (clockS % stepS)) % stepS; atS <= durationS; atS += stepS) {
    const date = new Date((clockS + atS) * 1_000);
    const day = Math.floor((clockS + atS) / 86_400) + 1;
    const clock = date.toISOString().slice(11, 16);
    ticks.push({ at: atS / binS, label: stepS >= 86_400 ? `day ${day}` : clock });
  }
  return ticks;
}
