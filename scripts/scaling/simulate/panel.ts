/** One panel of the picture: a plot over time with its own scale, its title and its marks. */
import { linear, roundTicks, type Scale, type Tick } from "@tl-engine/shared/charts/scales";
import {
  area,
  COLOURS,
  formatNumber,
  line,
  polyline,
  px,
  text,
} from "@tl-engine/shared/charts/svg";

import { duration } from "./report.ts";

export interface Plot {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Curve {
  label: string;
  colour: string;
  values: readonly number[];
  /** `area` to the zero line, `steps` as a staircase, `line` otherwise. */
  as: "area" | "steps" | "line";
  dash?: string;
}

/** A level that does not change with time, such as a ceiling or a target. */
export interface Level {
  label: string;
  colour: string;
  at: number;
}

export interface Panel {
  title: string;
  curves: readonly Curve[];
  level?: Level;
  /** Things that happened, so many in each bin: ticks along the bottom, longer for more. */
  events?: { label: string; colour: string; counts: readonly number[] };
  /** Values are seconds, and their ticks such as a clock has; plain numbers otherwise. */
  isTime?: boolean;
  /** The scale reaches at least this. */
  least: number;
}

/** Draws the panel; `x` maps a bin's number to pixels. */
export function drawPanel(plot: Plot, panel: Panel, x: Scale, times: readonly Tick[]): string {
  const { left, right, top, bottom } = plot;
  const most = Math.max(panel.least, ...panel.curves.flatMap(({ values }) => values));
  // A level far above everything that happened would flatten it: it is only named then.
  const level = panel.level && panel.level.at <= 3 * most ? panel.level : undefined;
  const reach = Math.max(most, level?.at ?? 0) * 1.05;
  const ticks = panel.isTime ? timeTicks(reach) : roundTicks(reach, 3, most < 3);
  const y = linear(0, ticks.at(-1) as number, bottom, top);
  const label = panel.isTime ? duration : formatNumber;
  return [
    text(left, top - 13, panel.title, { size: 13, weight: 600, colour: COLOURS.ink }),
    legend(panel, right, top - 13),
    ...ticks.map(
      (at) =>
        line(left, y(at), right, y(at), { colour: at === 0 ? COLOURS.mist : COLOURS.grid }) +
        text(left - 8, y(at) + 4, label(at), { size: 11, anchor: "end" }),
    ),
    ...times.map(({ at }) => line(x(at), bottom, x(at), bottom + 4, { colour: COLOURS.mist })),
    ...panel.curves.map((curve) => drawCurve(curve, x, y, bottom)),
    panel.events ? drawEvents(panel.events, x, bottom) : "",
    level
      ? line(left, y(level.at), right, y(level.at), { colour: level.colour, ...LEVEL_STYLE })
      : "",
  ].join("");
}

const EVENT_PX = { one: 9, more: 5, most: 34 };

function drawEvents(
  { counts, colour }: NonNullable<Panel["events"]>,
  x: Scale,
  bottom: number,
): string {
  return counts
    .map((count, bin) => {
      if (count === 0) return "";
      const high = Math.min(EVENT_PX.most, EVENT_PX.one + (count - 1) * EVENT_PX.more);
      return line(x(bin + 0.5), bottom, x(bin + 0.5), bottom - high, { colour, width: 1.6 });
    })
    .join("");
}

const TIME_STEPS_S = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600,
];

/** From 0 to at least `mostS` in three steps or fewer. */
function timeTicks(mostS: number): number[] {
  const step = TIME_STEPS_S.find((it) => 3 * it >= mostS) ?? 86_400;
  const steps = Math.max(1, Math.ceil(mostS / step));
  return Array.from({ length: steps + 1 }, (_, index) => index * step);
}

function drawCurve(
  { values, as, colour, dash }: Curve,
  x: Scale,
  y: Scale,
  bottom: number,
): string {
  const points = values.flatMap((value, bin): [number, number][] =>
    as === "steps"
      ? [
          [x(bin), y(value)],
          [x(bin + 1), y(value)],
        ]
      : [[x(bin + 0.5), y(value)]],
  );
  const style = { colour, width: 1.8, ...(dash && { dash }) };
  if (as !== "area") return polyline(points, style);
  const floor = points.map(([at]) => [at, bottom] as const);
  return area(points, floor, colour, 0.22) + polyline(points, { ...style, width: 1.2 });
}

const LEVEL_STYLE = { width: 1.4, dash: "6 4" };

/** Keys of all but a curve that is alone, from the right end leftwards; beside the plot, where no curve strikes them. */
function legend({ curves, events, level }: Panel, right: number, y: number): string {
  let end = right;
  const asLine = ({ label, colour }: { label: string; colour: string }) =>
    ({ label, colour, as: "line" }) as const;
  return [
    ...(level ? [{ ...asLine(level), dash: LEVEL_STYLE.dash }] : []),
    ...(events ? [asLine(events)] : []),
    ...(curves.length > 1 ? curves : []),
  ]
    .toReversed()
    .map(({ label, colour, as, dash }: Omit<Curve, "values">) => {
      const start = end - label.length * 5.9;
      end = start - 34;
      const key =
        as === "area"
          ? `<rect x="${px(start - 17)}" y="${px(y - 9)}" width="11" height="11" rx="3" fill="${colour}" fill-opacity="0.45"/>`
          : line(start - 20, y - 4, start - 5, y - 4, {
              colour,
              width: 2.2,
              ...(dash && { dash }),
            });
      return key + text(start, y, label, { size: 11 });
    })
    .join("");
}
