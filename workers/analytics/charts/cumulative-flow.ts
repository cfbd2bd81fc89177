/** Cumulative flow diagram: how many items are in each state group, day by day, stacked. */

import { linear, roundTicks, thinned } from "@tl-engine/shared/charts/scales";
import { area, COLOURS, formatNumber, plural, polyline } from "@tl-engine/shared/charts/svg";
import type { FlowOutput, StateGroup } from "../schemas.ts";
import { dayTicks, formatDate } from "./axes.ts";
import { PLOT, sheet, titled } from "./frame.ts";

/** From the bottom up: what is over lies under what is being worked on, so that each band's height reads as work in it. */
const BANDS: { group: StateGroup; label: string; colour: string }[] = [
  { group: "cancelled", label: "Cancelled", colour: COLOURS.faint },
  { group: "completed", label: "Completed", colour: COLOURS.green },
  { group: "started", label: "Started", colour: COLOURS.blue },
  { group: "unstarted", label: "Unstarted", colour: COLOURS.sky },
  { group: "backlog", label: "Backlog", colour: "#dbe3ea" },
];

/** Draws the series; `of` is what it is of, such as the project's name. */
export function cumulativeFlowChart(
  days: NonNullable<FlowOutput["cumulativeFlow"]>,
  of?: string,
): string {
  const shown = BANDS.filter(({ group }) => days.some((day) => day[group] > 0));
  const totals = days.map((day) => BANDS.reduce((sum, { group }) => sum + day[group], 0));
  const ticks = roundTicks(Math.max(1, ...totals));
  const x = linear(0, Math.max(1, days.length - 1), PLOT.left, PLOT.right);
  const y = linear(0, ticks.at(-1) as number, PLOT.bottom, PLOT.top);
  const indexes = thinned(days.length);
  let below = indexes.map(() => 0);
  const marks = shown.map(({ group, colour }) => {
    const above = indexes.map((day, i) => (below[i] as number) + (days[day]?.[group] as number));
    const upper = indexes.map((day, i) => [x(day), y(above[i] as number)] as const);
    const lower = indexes.map((day, i) => [x(day), y(below[i] as number)] as const);
    below = above;
    return (
      area(upper, lower, colour, 0.92) + polyline(upper, { colour: COLOURS.paper, width: 0.5 })
    );
  });
  const [first, last] = [days[0], days.at(-1)];
  const open = last ? last.backlog + last.unstarted + last.started : 0;
  return sheet({
    title: titled("Cumulative flow", of),
    subtitle:
      first && last
        ? `${formatDate(first.date)} to ${formatDate(last.date)} · at the end ${plural(open, "open item")}, ${formatNumber(last.completed)} completed`
        : "No days to show",
    xAxis: { title: "Day", ticks: first ? dayTicks(first.date, days.length) : [], scale: x },
    yAxis: {
      title: "Items",
      ticks: ticks.map((at) => ({ at, label: formatNumber(at) })),
      scale: y,
    },
    legend: shown.toReversed().map(({ label, colour }) => ({ label, colour })),
    marks,
  });
}
