/** Forecast fan: what was done lately, and what may be done from here, in bands of confidence. */

import { linear, roundTicks, thinned } from "@tl-engine/shared/charts/scales";
import {
  area,
  COLOURS,
  formatNumber,
  line,
  plural,
  polyline,
  text,
} from "@tl-engine/shared/charts/svg";
import { addDays, daysBetween } from "../days.ts";
import type { Fan } from "../forecast.ts";
import type { Forecast } from "../schemas.ts";
import { dayTicks, formatDate } from "./axes.ts";
import { PLOT, sheet, titled } from "./frame.ts";

const OPACITY: Record<number, number> = { 50: 0.42, 85: 0.22, 95: 0.12 };

/** Draws the fan after up to half as many days of the past; `perDay` ends on the forecast's `from`. */
export function forecastChart(
  forecast: Forecast,
  fan: Fan,
  perDay: ArrayLike<number>,
  of?: string,
): string {
  const future = fan.median.length;
  const pastDays = Math.min(perDay.length, Math.max(14, Math.round(future / 2)));
  const past: number[] = [0];
  for (let i = perDay.length - pastDays; i < perDay.length; i++)
    past.push((past.at(-1) as number) + (perDay[i] as number));
  const done = past.at(-1) as number;
  const target = forecast.remaining === null ? null : done + forecast.remaining;
  const widest = fan.bands.at(-1)?.high.at(-1) ?? 0;
  const ticks = roundTicks(Math.max(1, done + widest, target ?? 0));
  const x = linear(-pastDays, future, PLOT.left, PLOT.right);
  const y = linear(0, ticks.at(-1) as number, PLOT.bottom, PLOT.top);
  const indexes = thinned(future);
  const ahead = (sums: number[]) => [
    [x(0), y(done)] as const,
    ...indexes.map((day) => [x(day + 1), y(done + (sums[day] as number))] as const),
  ];
  const bands = fan.bands
    .toReversed()
    .map(({ percent, low, high }) =>
      area(ahead(high), ahead(low), COLOURS.blue, OPACITY[percent] ?? 0.2),
    );
  const history = thinned(past.length).map((i) => [x(i - pastDays), y(past[i] as number)] as const);
  const start = addDays(forecast.from, -pastDays);
  return sheet({
    title: titled(
      forecast.question === "when" ? "When will it be done?" : "How much will be done?",
      of,
    ),
    subtitle: headline(forecast),
    xAxis: {
      title: "Day",
      ticks: dayTicks(start, pastDays + future + 1).map(({ at, label }) => ({
        at: at - pastDays,
        label,
      })),
      scale: x,
    },
    yAxis: {
      title: "Items done",
      ticks: ticks.map((at) => ({ at, label: formatNumber(at) })),
      scale: y,
    },
    legend: [
      { label: "Done", colour: COLOURS.green, as: "line" },
      { label: "Median", colour: COLOURS.blue, as: "line" },
      ...fan.bands.map(({ percent }) => ({
        label: `${percent} % of futures`,
        colour: COLOURS.blue,
        opacity: (OPACITY[percent] ?? 0.2) + 0.08,
      })),
    ],
    marks: [
      ...bands,
      line(x(0), PLOT.top, x(0), PLOT.bottom, { colour: COLOURS.faint, width: 1.2 }),
      polyline(history, { colour: COLOURS.green, width: 2.5 }),
      polyline(ahead(fan.median), { colour: COLOURS.blue, width: 2.5 }),
    ],
    notes: [
      text(x(0) + 6, PLOT.top + 10, "today", { size: 11, halo: true }),
      ...(target === null ? [] : targetLine(target, y)),
      ...dates(forecast, x),
    ],
  });
}

/** The answer in words, at 85 % where it was asked for, else at the highest confidence. */
function headline({ percentiles, question, remaining, until, from }: Forecast): string {
  const answer = percentiles.find(({ percentile }) => percentile === 85) ?? percentiles.at(-1);
  if (!answer) return "";
  if (question === "how many")
    return `${answer.percentile} % sure: at least ${plural(answer.items ?? 0, "item")} from ${formatDate(from)} to ${formatDate(until as string)}`;
  const items = `${plural(remaining ?? 0, "remaining item")}`;
  return answer.date
    ? `${answer.percentile} % sure: the ${items} are done by ${formatDate(answer.date)}`
    : `The ${items} are not done within five years at this pace`;
}

const targetLine = (target: number, y: (value: number) => number) => [
  line(PLOT.left, y(target), PLOT.right, y(target), {
    colour: COLOURS.ink,
    width: 1.2,
    dash: "3 4",
  }),
  text(PLOT.left + 8, y(target) - 7, "all done", { size: 11, colour: COLOURS.ink, halo: true }),
];

/**
 * Marks the days on which the answers fall, at four heights so that neighbours don't collide; the words come after
 * all lines, or the next one would strike them.
 */
function dates({ percentiles, from }: Forecast, x: (value: number) => number): string[] {
  const answers = percentiles.flatMap(({ percentile, date }) =>
    date ? [{ at: x(daysBetween(from, date)), label: `${percentile} %: ${formatDate(date)}` }] : [],
  );
  const style = { size: 11, weight: 600, colour: COLOURS.vermilion, halo: true } as const;
  return [
    ...answers.map(({ at }) =>
      line(at, PLOT.top + 6, at, PLOT.bottom, {
        colour: COLOURS.vermilion,
        width: 1.4,
        dash: "5 4",
      }),
    ),
    ...answers.map(({ at, label }, i) => {
      const atRight = at > PLOT.right - 120;
      const anchor = atRight ? "end" : "start";
      return text(at + (atRight ? -6 : 6), PLOT.bottom - 14 - (i % 4) * 18, label, {
        ...style,
        anchor,
      });
    }),
  ];
}
