/** Cycle time scatter: a dot for each finished item, on a logarithmic scale, with the percentiles as lines. */

import { linear } from "@tl-engine/shared/charts/scales";
import { COLOURS, line, plural, px, text } from "@tl-engine/shared/charts/svg";
import { DAY_MS, type Days, dayIndex } from "../days.ts";
import type { Finished } from "../finished.ts";
import type { FlowOutput } from "../schemas.ts";
import { dayTicks, durationTicks, formatDate, formatDuration } from "./axes.ts";
import { PLOT, sheet, titled } from "./frame.ts";

/** Dots that are drawn, the newest; more would only be ink. */
const MOST_DOTS = 5_000;

/** Draws the finished items of the days; where none was ever started, their lead times. */
export function cycleTimeChart(
  finished: readonly Finished[],
  summary: NonNullable<FlowOutput["cycleTime"]>,
  days: Days,
  of?: string,
): string {
  const usesLead = summary.cycle.count === 0;
  const { count, p50Days, p85Days } = usesLead ? summary.lead : summary.cycle;
  const dots = finished
    .flatMap(({ finishedMs, cycleMs, leadMs }) => {
      const ms = usesLead ? leadMs : cycleMs;
      return ms === null ? [] : { day: dayIndex(days, finishedMs), days: ms / DAY_MS };
    })
    .slice(-MOST_DOTS);
  const ticks = durationTicks(
    Math.min(...dots.map((dot) => Math.max(dot.days, 1 / 96)), 1),
    Math.max(...dots.map((dot) => dot.days), 7),
  );
  const low = Math.log((ticks[0] as { at: number }).at);
  const high = Math.log((ticks.at(-1) as { at: number }).at);
  const log = linear(low, high, PLOT.bottom, PLOT.top);
  const y = (value: number) => log(Math.min(Math.max(Math.log(value), low), high));
  const x = linear(0, Math.max(1, days.dates.length), PLOT.left, PLOT.right);
  // One path of round dots instead of thousands of circles.
  const path = dots.map((dot) => `M${px(x(dot.day + 0.5))} ${px(y(dot.days))}h0`).join("");
  const radius = dots.length > 1_500 ? 4 : dots.length > 300 ? 6 : 8;
  const level = (value: number | null, percent: number, colour: string) =>
    value === null
      ? ""
      : line(PLOT.left, y(value), PLOT.right, y(value), { colour, width: 1.8, dash: "7 5" }) +
        text(PLOT.right - 4, y(value) - 7, `${percent} %: ${formatDuration(value)}`, {
          anchor: "end",
          colour,
          weight: 600,
          halo: true,
        });
  const name = usesLead ? "Lead time" : "Cycle time";
  const [first, last] = [days.dates[0], days.dates.at(-1)];
  return sheet({
    title: titled(name, of),
    subtitle:
      first && last
        ? `${plural(count, "item")} finished ${formatDate(first)} to ${formatDate(last)}` +
          (p85Days === null
            ? ""
            : ` · half took up to ${formatDuration(p50Days as number)}, 85 % up to ${formatDuration(p85Days)}`)
        : "No days to show",
    xAxis: {
      title: "Day finished",
      ticks: first ? dayTicks(first, days.dates.length) : [],
      scale: x,
    },
    yAxis: { title: `${name} (logarithmic)`, ticks, scale: y },
    legend: [
      { label: "Finished item", colour: COLOURS.blue, as: "dot", opacity: 0.6 },
      { label: "50 %", colour: COLOURS.green, as: "dashed" },
      { label: "85 %", colour: COLOURS.vermilion, as: "dashed" },
    ],
    marks: [
      `<path d="${path}" stroke="${COLOURS.blue}" stroke-opacity="0.45" stroke-width="${radius}" stroke-linecap="round" fill="none"/>`,
    ],
    notes: [level(p50Days, 50, COLOURS.green), level(p85Days, 85, COLOURS.vermilion)],
  });
}
