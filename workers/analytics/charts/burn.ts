/** Burn-down and burn-up in one: remaining, done and scope, day by day, with the steady line to zero. */

import { linear, roundTicks, thinned } from "@tl-engine/shared/charts/scales";
import { area, COLOURS, formatNumber, line, polyline } from "@tl-engine/shared/charts/svg";
import { daysBetween } from "../days.ts";
import type { FlowOutput } from "../schemas.ts";
import { dayTicks, formatDate } from "./axes.ts";
import { type LegendEntry, PLOT, sheet, titled } from "./frame.ts";

const STEADY: LegendEntry = { label: "Steady pace", colour: COLOURS.faint, as: "dashed" };

/** Draws the series on a calendar that goes on to `until`, the window's last day. */
export function burnChart(
  days: NonNullable<FlowOutput["burn"]>,
  until: string,
  unit: "items" | "points",
  of?: string,
): string {
  const [first, last] = [days[0], days.at(-1)];
  const length = first ? daysBetween(first.date, until) + 1 : 1;
  const ticks = roundTicks(Math.max(1, ...days.map(({ scope }) => scope)));
  const x = linear(0, Math.max(1, length - 1), PLOT.left, PLOT.right);
  const y = linear(0, ticks.at(-1) as number, PLOT.bottom, PLOT.top);
  const points = (key: "remaining" | "done" | "scope") =>
    thinned(days.length).map((day) => [x(day), y(days[day]?.[key] as number)] as const);
  const remaining = points("remaining");
  // In an endless project that began with nothing, a line to zero would mean nothing.
  const steady = first !== undefined && first.remaining * 4 >= (ticks.at(-1) as number);
  const marks = [
    area(
      remaining,
      remaining.map(([px]) => [px, PLOT.bottom] as const),
      COLOURS.blue,
      0.1,
    ),
    first && steady
      ? line(x(0), y(first.remaining), x(length - 1), y(0), {
          colour: COLOURS.faint,
          width: 1.5,
          dash: "2 5",
        })
      : "",
    polyline(points("scope"), { colour: COLOURS.orange, width: 2, dash: "6 4" }),
    polyline(points("done"), { colour: COLOURS.green, width: 2.5 }),
    polyline(remaining, { colour: COLOURS.blue, width: 2.5 }),
  ];
  return sheet({
    title: titled("Burn-down and burn-up", of),
    subtitle: last
      ? `${formatNumber(last.done)} of ${formatNumber(last.scope)} ${unit} done on ${formatDate(last.date)}, ${formatNumber(last.remaining)} remaining`
      : "No days to show",
    xAxis: { title: "Day", ticks: first ? dayTicks(first.date, length) : [], scale: x },
    yAxis: {
      title: unit === "items" ? "Items" : "Points",
      ticks: ticks.map((at) => ({ at, label: formatNumber(at) })),
      scale: y,
    },
    legend: [
      { label: "Remaining", colour: COLOURS.blue, as: "line" },
      { label: "Done", colour: COLOURS.green, as: "line" },
      { label: "Scope", colour: COLOURS.orange, as: "dashed" },
      ...(steady ? [STEADY] : []),
    ],
    marks,
  });
}
