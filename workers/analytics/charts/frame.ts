/** The sheet that a chart is drawn on: title, legend, axes and grid around a plot area. */
import type { Scale, Tick } from "@tl-engine/shared/charts/scales";
import { COLOURS, line, px, svgDocument, text } from "@tl-engine/shared/charts/svg";

const WIDTH = 960;
const HEIGHT = 500;

/** The plot area in pixels. */
export const PLOT = { left: 100, top: 104, right: 926, bottom: 440 } as const;

export interface LegendEntry {
  label: string;
  colour: string;
  /** How the series is drawn. Default a filled square. */
  as?: "area" | "line" | "dashed" | "dot";
  opacity?: number;
}

export interface Sheet {
  title: string;
  subtitle: string;
  xAxis: { title: string; ticks: Tick[]; scale: Scale };
  yAxis: { title: string; ticks: Tick[]; scale: Scale };
  legend: LegendEntry[];
  /** SVG of the marks, over the grid. */
  marks: string[];
  /** SVG over the axes, such as labels of lines. */
  notes?: string[];
}

/** About how wide a text of 12 px is; only to space a legend. */
const widthOf = (content: string) => content.length * 6.4;

function legend(entries: LegendEntry[]): string {
  const total = entries.reduce((sum, { label }) => sum + widthOf(label) + 40, -18);
  let x = Math.max(PLOT.left, PLOT.right - total);
  const y = 80;
  return entries
    .map(({ label, colour, as = "area", opacity = 1 }) => {
      const key =
        as === "area"
          ? `<rect x="${px(x)}" y="${y - 10}" width="12" height="12" rx="3" fill="${colour}" fill-opacity="${opacity}"/>`
          : as === "dot"
            ? `<circle cx="${px(x + 6)}" cy="${y - 4}" r="4" fill="${colour}" fill-opacity="${opacity}"/>`
            : line(x - 3, y - 4, x + 14, y - 4, {
                colour,
                width: 2.5,
                ...(as === "dashed" && { dash: "5 4" }),
              });
      const svg = key + text(x + 19, y, label);
      x += widthOf(label) + 40;
      return svg;
    })
    .join("");
}

/** Draws the sheet as a complete SVG document. */
export function sheet({
  title,
  subtitle,
  xAxis,
  yAxis,
  legend: entries,
  marks,
  notes = [],
}: Sheet): string {
  const grid = yAxis.ticks.map(({ at, label }) => {
    const y = yAxis.scale(at);
    return (
      line(PLOT.left, y, PLOT.right, y, { colour: COLOURS.grid }) +
      text(PLOT.left - 10, y + 4, label, { anchor: "end" })
    );
  });
  const xTicks = xAxis.ticks.map(({ at, label }) => {
    const x = xAxis.scale(at);
    return (
      line(x, PLOT.bottom, x, PLOT.bottom + 5, { colour: COLOURS.faint }) +
      text(x, PLOT.bottom + 20, label, { anchor: "middle" })
    );
  });
  const middle = (PLOT.top + PLOT.bottom) / 2;
  return svgDocument({ width: WIDTH, height: HEIGHT, title, about: subtitle }, [
    text(28, 38, title, { size: 20, weight: 600, colour: COLOURS.ink }),
    text(28, 58, subtitle, { size: 13 }),
    legend(entries),
    ...grid,
    ...marks,
    line(PLOT.left, PLOT.bottom, PLOT.right, PLOT.bottom, { colour: COLOURS.faint }),
    ...xTicks,
    text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 44, xAxis.title, {
      anchor: "middle",
      colour: COLOURS.faint,
    }),
    `<g transform="rotate(-90 22 ${px(middle)})">${text(22, middle, yAxis.title, { anchor: "middle", colour: COLOURS.faint })}</g>`,
    ...notes,
  ]);
}

/** "Title · what it is of". */
export const titled = (title: string, of: string | undefined) => (of ? `${of}: ${title}` : title);
