/** The picture of growth: what a month costs, and how long jobs wait, from 1 M to 100 M jobs a day. */
import { linear, type Scale } from "@tl-engine/shared/charts/scales";
import { COLOURS, line, polyline, svgDocument, text } from "@tl-engine/shared/charts/svg";
import { inSpanish } from "./figure-limits.ts";
import { duration } from "./report.ts";

export interface Growth {
  jobsPerDay: number;
  /** A month, in dollars. */
  podsUsd: number;
  redisUsd: number;
  storageUsd: number;
  p95S: number;
  p99S: number;
  longestS: number;
  maxPods: number;
}

const WIDTH = 1_080;
const HEIGHT = 440;
const PLOT = { top: 122, bottom: 372 };
const LEFT = { from: 84, to: 480 };
const RIGHT = { from: 624, to: 964 };

interface Line {
  label: string;
  colour: string;
  of(growth: Growth): number;
}

const COSTS: Line[] = [
  { label: "Redis", colour: COLOURS.vermilion, of: ({ redisUsd }) => redisUsd },
  { label: "Postgres", colour: COLOURS.blue, of: ({ storageUsd }) => storageUsd },
  { label: "pods", colour: COLOURS.green, of: ({ podsUsd }) => podsUsd },
];
const WAITS: Line[] = [
  { label: "el más largo", colour: COLOURS.vermilion, of: ({ longestS }) => longestS },
  { label: "p99", colour: COLOURS.orange, of: ({ p99S }) => p99S },
  { label: "p95", colour: COLOURS.blue, of: ({ p95S }) => p95S },
];

export function drawGrowth(growth: readonly Growth[]): string {
  const decade = (value: number) => Math.log10(Math.max(value, 1e-9));
  const [first, last] = [growth[0] as Growth, growth.at(-1) as Growth];
  const xOf = (plot: typeof LEFT): Scale => {
    const scale = linear(decade(first.jobsPerDay), decade(last.jobsPerDay), plot.from, plot.to);
    return (jobs) => scale(decade(jobs));
  };
  const money = [1, 10, 100, 1_000, 10_000, 100_000];
  const dollars = linear(decade(1), decade(100_000), PLOT.bottom, PLOT.top);
  const longest = Math.max(10, ...growth.map(({ longestS }) => longestS));
  const secondsTop =
    [10, 30, 60, 120, 300, 600, 1_800, 3_600].find((top) => top >= longest) ?? longest;
  const seconds = linear(0, secondsTop, PLOT.bottom, PLOT.top);
  const thirds = [0, 1, 2, 3].map((part) => (part * secondsTop) / 3);
  const title = "De 1 a 100 millones de trabajos al día";
  const about = `Siete días simulados por punto; los motores necesitan ${first.maxPods} pods a la vez con ${inSpanish(first.jobsPerDay)} y ${last.maxPods} con ${inSpanish(last.jobsPerDay)}`;
  return svgDocument({ width: WIDTH, height: HEIGHT, title, about }, [
    text(28, 36, title, { size: 20, weight: 600, colour: COLOURS.ink }),
    text(28, 57, about, { size: 13 }),
    frame(
      LEFT,
      "Coste al mes, en dólares (escala logarítmica)",
      growth,
      xOf(LEFT),
      money.map((at) => [
        dollars(decade(at)),
        `$${at.toLocaleString("es-ES", { useGrouping: "always" })}`,
      ]),
    ),
    ...COSTS.map((it) =>
      series(it, growth, LEFT, xOf(LEFT), (value) => dollars(decade(Math.max(1, value)))),
    ),
    frame(
      RIGHT,
      "Espera hasta que un trabajo empieza",
      growth,
      xOf(RIGHT),
      thirds.map((at) => [seconds(at), duration(at)]),
    ),
    ...apart(WAITS, growth, seconds).map(([it, labelY]) =>
      series(it, growth, RIGHT, xOf(RIGHT), seconds, labelY),
    ),
  ]);
}

/** Labels of lines that end close together, moved apart. */
function apart(lines: readonly Line[], growth: readonly Growth[], y: Scale): [Line, number][] {
  const last = growth.at(-1) as Growth;
  let above = Number.NEGATIVE_INFINITY;
  return lines.map((it) => {
    above = Math.max(above + 16, y(it.of(last)));
    return [it, above];
  });
}

function frame(
  plot: typeof LEFT,
  title: string,
  growth: readonly Growth[],
  x: Scale,
  ticks: (readonly [number, string])[],
): string {
  return [
    text(plot.from, PLOT.top - 22, title, { size: 14, weight: 600, colour: COLOURS.ink }),
    ...ticks.map(
      ([y, label]) =>
        line(plot.from, y, plot.to, y, { colour: COLOURS.grid }) +
        text(plot.from - 10, y + 4, label, { anchor: "end" }),
    ),
    ...growth.map(
      ({ jobsPerDay }) =>
        line(x(jobsPerDay), PLOT.bottom, x(jobsPerDay), PLOT.bottom + 5, {
          colour: COLOURS.faint,
        }) + text(x(jobsPerDay), PLOT.bottom + 21, inSpanish(jobsPerDay), { anchor: "middle" }),
    ),
    text((plot.from + plot.to) / 2, PLOT.bottom + 46, "Trabajos en un día medio", {
      anchor: "middle",
      colour: COLOURS.faint,
    }),
  ].join("");
}

function series(
  { label, colour, of }: Line,
  growth: readonly Growth[],
  plot: typeof LEFT,
  x: Scale,
  y: Scale,
  labelY?: number,
): string {
  const points = growth.map((it) => [x(it.jobsPerDay), y(of(it))] as const);
  const end = labelY ?? (points.at(-1)?.[1] as number);
  return (
    polyline(points, { colour, width: 2.5 }) +
    points
      .map(
        ([px, py]) =>
          `<circle cx="${px.toFixed(1)}" cy="${py.toFixed(1)}" r="3.5" fill="${colour}"/>`,
      )
      .join("") +
    text(plot.to + 10, end + 4, label, { size: 12, weight: 600, colour })
  );
}
