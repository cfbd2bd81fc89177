/** Aging work: the oldest started items as bars, beside what finished items took. */

import { linear } from "@tl-engine/shared/charts/scales";
import { COLOURS, line, plural, px, text } from "@tl-engine/shared/charts/svg";
import type { FlowOutput } from "../schemas.ts";
import { durationTicks, formatDuration } from "./axes.ts";
import { PLOT, sheet, titled } from "./frame.ts";

const MOST_BARS = 20;
const LONGEST_NAME = 10;

/** Draws the oldest started items; `p50Days` and `p85Days` are of the cycle times of finished ones. */
export function agingChart(
  { total, items }: NonNullable<FlowOutput["aging"]>,
  { p50Days, p85Days }: { p50Days: number | null; p85Days: number | null },
  of?: string,
): string {
  const shown = items.slice(0, MOST_BARS);
  const ticks = durationTicks(
    1 / 24,
    Math.max(7, ...shown.map(({ ageDays }) => ageDays), p85Days ?? 0),
  );
  const low = Math.log((ticks[0] as { at: number }).at);
  const log = linear(low, Math.log((ticks.at(-1) as { at: number }).at), PLOT.left, PLOT.right);
  const x = (value: number) => log(Math.max(Math.log(value), low));
  const y = linear(0, Math.max(shown.length, 6), PLOT.top, PLOT.bottom);
  const height = (y(1) - y(0)) * 0.68;
  const marks = shown.map(({ ageDays, beyondP85 }, i) => {
    const colour = beyondP85 ? COLOURS.vermilion : COLOURS.blue;
    const end = x(ageDays);
    const inside = end > PLOT.left + 90;
    return (
      `<rect x="${PLOT.left}" y="${px(y(i + 0.5) - height / 2)}" width="${px(Math.max(2, end - PLOT.left))}" height="${px(height)}" rx="3" fill="${colour}" fill-opacity="0.8"/>` +
      text(inside ? end - 8 : end + 8, y(i + 0.5) + 4, formatDuration(ageDays), {
        size: 11,
        anchor: inside ? "end" : "start",
        colour: inside ? COLOURS.paper : COLOURS.text,
      })
    );
  });
  const level = (value: number | null, colour: string) =>
    value === null
      ? ""
      : line(x(value), PLOT.top, x(value), PLOT.bottom, { colour, width: 1.8, dash: "7 5" });
  const short = (id: string) =>
    id.length > LONGEST_NAME ? `${id.slice(0, LONGEST_NAME - 1)}…` : id;
  return sheet({
    title: titled("Aging work", of),
    subtitle: `${plural(total, "started item")}${total > shown.length ? `, the ${shown.length} oldest shown` : ""}`,
    xAxis: { title: "Age since started (logarithmic)", ticks, scale: x },
    yAxis: {
      title: "",
      ticks: shown.map(({ itemId }, i) => ({ at: i + 0.5, label: short(itemId) })),
      scale: y,
    },
    legend: [
      { label: "Age", colour: COLOURS.blue },
      { label: "Older than 85 % of the finished", colour: COLOURS.vermilion },
      { label: "50 %", colour: COLOURS.green, as: "dashed" },
      { label: "85 %", colour: COLOURS.ink, as: "dashed" },
    ],
    marks,
    notes: [level(p50Days, COLOURS.green), level(p85Days, COLOURS.ink)],
  });
}
