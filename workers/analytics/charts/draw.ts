/** Draws what was asked for: one chart for each metric of a `flow`, and its forecast. */
import type { Days } from "../days.ts";
import { dayIndex } from "../days.ts";
import type { Finished } from "../finished.ts";
import type { Ahead, Fan } from "../forecast.ts";
import type { FlowInput, FlowOutput } from "../schemas.ts";
import { agingChart } from "./aging.ts";
import { barsChart } from "./bars.ts";
import { burnChart } from "./burn.ts";
import { cumulativeFlowChart } from "./cumulative-flow.ts";
import { cycleTimeChart } from "./cycle-time.ts";
import { forecastChart } from "./forecast.ts";

/** What charts show beyond the output. */
export interface Drawn {
  finished: Finished[];
  cycleTime: NonNullable<FlowOutput["cycleTime"]>;
  days: Days;
  ahead: Ahead | undefined;
  /** Where there is a forecast. */
  fan: Fan | undefined;
}

/** The SVG documents, by metric. */
export function draw(
  { unit, title, window, forecast }: FlowInput,
  output: FlowOutput,
  { finished, cycleTime, days, ahead, fan }: Drawn,
): NonNullable<FlowOutput["svg"]> {
  const perDay = (of: (item: Finished) => number) => {
    const sums = new Float64Array(days.dates.length);
    for (const item of finished) {
      const day = dayIndex(days, item.finishedMs);
      sums[day] = (sums[day] as number) + of(item);
    }
    return sums;
  };
  return {
    ...(output.burn && { burn: burnChart(output.burn, window.to, unit, title) }),
    ...(output.cumulativeFlow && {
      cumulativeFlow: cumulativeFlowChart(output.cumulativeFlow, title),
    }),
    ...(output.cycleTime && { cycleTime: cycleTimeChart(finished, cycleTime, days, title) }),
    ...(output.throughput && {
      throughput: barsChart(
        "Throughput",
        "items",
        days,
        perDay(() => 1),
        title,
      ),
    }),
    ...(output.velocity && {
      velocity: barsChart(
        "Velocity",
        "points",
        days,
        perDay((item) => item.milliPoints / 1000),
        title,
      ),
    }),
    ...(output.aging && { aging: agingChart(output.aging, cycleTime.cycle, title) }),
    ...(forecast &&
      ahead &&
      fan && { forecast: forecastChart(ahead.forecast, fan, ahead.perDay, title) }),
  };
}
