/** Bars per week, month or quarter: throughput, and velocity. */

import { linear, roundTicks } from "@tl-engine/shared/charts/scales";
import { COLOURS, formatNumber, line, px, text } from "@tl-engine/shared/charts/svg";
import { addDays, type Days, daysBetween } from "../days.ts";
import { dayTicks, formatDate } from "./axes.ts";
import { PLOT, sheet, titled } from "./frame.ts";

/** More bars than this are drawn in a coarser period. */
const MOST_BARS = 110;

interface Bar {
  /** Index of its first day, and how many days it has. */
  day: number;
  days: number;
  value: number;
}

type Period = "week" | "month" | "quarter";

/** Sums daily values per calendar period; the first and last may be cut by the window. */
function grouped(dates: readonly string[], values: ArrayLike<number>, period: Period): Bar[] {
  const keyOf = (date: string, weekday: number) => {
    if (period === "week") return addDays(date, -weekday);
    const month = Number(date.slice(5, 7));
    return period === "month" ? date.slice(0, 7) : `${date.slice(0, 4)} ${Math.ceil(month / 3)}`;
  };
  const bars: Bar[] = [];
  let current = "";
  const firstWeekday = (new Date(`${dates[0] ?? "2000-01-03"}T00:00:00Z`).getUTCDay() + 6) % 7;
  dates.forEach((date, day) => {
    const key = keyOf(date, (firstWeekday + day) % 7);
    if (key !== current) bars.push({ day, days: 0, value: 0 });
    current = key;
    const bar = bars.at(-1) as Bar;
    bar.days++;
    bar.value += values[day] as number;
  });
  return bars;
}

/** Draws what was finished per period, with the mean of the whole ones. */
export function barsChart(
  title: "Throughput" | "Velocity",
  unit: "items" | "points",
  days: Days,
  values: ArrayLike<number>,
  of?: string,
): string {
  const { dates } = days;
  const period: Period =
    dates.length <= MOST_BARS * 7 ? "week" : dates.length <= MOST_BARS * 30 ? "month" : "quarter";
  const bars = grouped(dates, values, period);
  const total = bars.reduce((sum, bar) => sum + bar.value, 0);
  const whole = bars.slice(1, -1);
  const mean =
    whole.length === 0 ? null : whole.reduce((sum, bar) => sum + bar.value, 0) / whole.length;
  const ticks = roundTicks(Math.max(1, ...bars.map(({ value }) => value)));
  const x = linear(0, Math.max(1, dates.length), PLOT.left, PLOT.right);
  const y = linear(0, ticks.at(-1) as number, PLOT.bottom, PLOT.top);
  const gap = bars.length > 60 ? 1 : 3;
  const marks = bars
    .filter(({ value }) => value > 0)
    .map(({ day, days: length, value }) => {
      const [left, width] = [x(day) + gap / 2, Math.max(1, x(day + length) - x(day) - gap)];
      const top = y(value);
      const round = Math.min(3, width / 2, PLOT.bottom - top);
      return `<path d="M${px(left)} ${PLOT.bottom}V${px(top + round)}q0 ${px(-round)} ${px(round)} ${px(-round)}h${px(width - 2 * round)}q${px(round)} 0 ${px(round)} ${px(round)}V${PLOT.bottom}Z"><title>${formatDate(dates[day] as string)}: ${formatNumber(value)}</title></path>`;
    });
  const colour = title === "Throughput" ? COLOURS.blue : COLOURS.purple;
  const [first, last] = [dates[0], dates.at(-1)];
  return sheet({
    title: titled(`${title} per ${period}`, of),
    subtitle:
      first && last
        ? `${formatNumber(total)} ${unit} finished in ${formatNumber(daysBetween(first, last) + 1)} days, ${formatDate(first)} to ${formatDate(last)}`
        : "No days to show",
    xAxis: {
      title: `Finished in ${period}`,
      ticks: first ? dayTicks(first, dates.length) : [],
      scale: x,
    },
    yAxis: {
      title: unit === "items" ? "Items" : "Points",
      ticks: ticks.map((at) => ({ at, label: formatNumber(at) })),
      scale: y,
    },
    legend: [
      { label: `Finished ${unit}`, colour, opacity: 0.85 },
      { label: `Mean of whole ${period}s`, colour: COLOURS.vermilion, as: "dashed" },
    ],
    marks: [`<g fill="${colour}" fill-opacity="0.85">${marks.join("")}</g>`],
    notes:
      mean === null
        ? []
        : [
            line(PLOT.left, y(mean), PLOT.right, y(mean), {
              colour: COLOURS.vermilion,
              width: 1.8,
              dash: "7 5",
            }),
            text(PLOT.right - 4, y(mean) - 7, `mean ${formatNumber(mean)}`, {
              anchor: "end",
              colour: COLOURS.vermilion,
              weight: 600,
              halo: true,
            }),
          ],
  });
}
