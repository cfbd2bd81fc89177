/** Output of `flow`. */
import { z } from "zod";
import { CalendarDay, Instant } from "./vocabulary.ts";

const count = (description: string) => z.int().describe(description);
const Percentile = z.number().nullable();
const Durations = z.object({
  count: count("Items that it is of."),
  p50Days: Percentile.describe(
    "Half of them took at most so long: nearest rank, in days of 24 hours; null without items.",
  ),
  p85Days: Percentile.describe("85 % of them took at most so long."),
  p95Days: Percentile.describe("95 % of them took at most so long."),
});
const Week = z.object({
  week: z.string().describe("ISO 8601 week, such as 2026-W01."),
  monday: CalendarDay.describe("Its Monday."),
  days: count("How many of its days the window covers, 1 to 7."),
});
const Coverage = z.object({
  horizonDays: count("How far ahead the forecasts looked."),
  nominal: z.number().describe("Nominal coverage of the interval, 0 to 1."),
  tests: count("Back-tests made: forecasts from a past day, of which the outcome is known."),
  covered: z
    .number()
    .nullable()
    .describe("Share of the outcomes inside of the central interval; null without tests."),
  coveredOneSided: z
    .number()
    .nullable()
    .describe(
      'Share of the outcomes at or above the one-sided "at least so many" bound of the same confidence.',
    ),
});

const ForecastAt = z.object({
  percentile: z.number().describe("The confidence, in percent."),
  date: CalendarDay.nullish().describe("When: the day; null: not within 3,660 days."),
  days: z.int().nullish().describe("When: days from the last day seen."),
  items: z.int().optional().describe("How many: at least so many."),
});

export const Forecast = z.object({
  from: CalendarDay.describe("The last day seen; day 1 of the forecast is the next one."),
  question: z.enum(["when", "how many"]).describe("What was asked."),
  remaining: z.int().nullable().describe("When: the items that it was asked of."),
  until: CalendarDay.nullable().describe("How many: the day that it was asked of."),
  simulations: count("Futures that were drawn."),
  historyDays: count("Days of throughput that they were drawn from."),
  percentiles: z.array(ForecastAt).describe("The answers, in the order asked."),
  calibration: z.array(Coverage).describe("How the method did on this very history."),
});
export type Forecast = z.output<typeof Forecast>;

const Items = z.object({
  total: count("All items."),
  open: count("In backlog, unstarted or started."),
  done: count("Completed."),
  cancelled: count("Cancelled."),
});
const BurnDay = z.object({
  date: CalendarDay.describe("The day; values are those of its end."),
  remaining: z.number().describe("Not done yet, in the asked unit."),
  scope: z.number().describe("All that is not cancelled."),
  done: z.number().describe("Done so far."),
});
const FlowDay = z.object({
  date: CalendarDay.describe("The day; values are those of its end."),
  backlog: count("Items in the backlog."),
  unstarted: count("Items that are planned and not begun."),
  started: count("Items in progress."),
  completed: count("Items done."),
  cancelled: count("Items cancelled."),
});
const Finished = z.object({
  itemId: z.string().describe("The item."),
  finishedAt: Instant.describe("When it was completed for the last time."),
  cycleDays: z.number().nullable().describe("From its first start; null if it never started."),
  leadDays: z.number().describe("From its creation."),
});
const CycleTime = z.object({
  cycle: Durations.describe("From the first start to the end."),
  lead: Durations.describe("From creation to the end."),
  items: z.array(Finished).describe("The newest 1,000 finished items, latest first."),
});
const Throughput = z.object({
  days: z
    .array(
      z.object({ date: CalendarDay.describe("The day."), items: count("Items finished on it.") }),
    )
    .describe("Each day of the window that has begun."),
  weeks: z
    .array(Week.extend({ items: count("Items finished in it.") }))
    .describe("The same by week."),
});
const Velocity = z.object({
  weeks: z
    .array(
      Week.extend({
        items: count("Items finished in it."),
        points: z.number().describe("Their points."),
      }),
    )
    .describe("Points by week."),
  meanPointsPerWeek: z
    .number()
    .nullable()
    .describe("Mean of the whole weeks; null when the window has none."),
  cycles: z
    .array(
      z.object({
        cycleId: z.string().describe("The cycle."),
        items: count("Its finished items."),
        points: z.number().describe("Their points."),
      }),
    )
    .describe(
      "By the cycles that the finished items are in on the last day; an item in two counts in both.",
    ),
});
const Aging = z.object({
  total: count("Started and unfinished items."),
  items: z
    .array(
      z.object({
        itemId: z.string().describe("The item."),
        stateId: z.string().nullable().describe("Its state; null if none is known."),
        startedAt: Instant.describe("When it was first started."),
        ageDays: z.number().describe("Days of 24 hours since then."),
        inStateDays: z.number().describe("Days since it came into its state."),
        beyondP85: z
          .boolean()
          .nullable()
          .describe(
            "Older than 85 % of the finished items of the window were when they finished; null without any.",
          ),
      }),
    )
    .describe("The oldest 1,000 of them, oldest first."),
});
const Charts = z.object({
  burn: z.string().optional().describe("Burn-up and burn-down."),
  cumulativeFlow: z.string().optional().describe("The cumulative flow diagram."),
  cycleTime: z.string().optional().describe("Cycle times as a scatter plot."),
  throughput: z.string().optional().describe("Items finished."),
  velocity: z.string().optional().describe("Points by week."),
  aging: z.string().optional().describe("Ages of work in progress."),
  forecast: z.string().optional().describe("The forecast's fan."),
});
const Warning = z.object({
  code: z.string().describe("What kind of doubt it is."),
  message: z.string().describe("The same in words."),
  count: count("How often."),
  itemIds: z.array(z.string()).describe("At most five items, as examples."),
});

export const FlowOutput = z.object({
  asOf: Instant.describe("Nothing later than this was seen."),
  lastDay: CalendarDay.nullable().describe(
    "The last day that the series hold: `window.to`, or the day of `asOf` if earlier; null if the window is all after it.",
  ),
  items: Items.describe("On the last day seen."),
  burn: z.array(BurnDay).optional().describe("What remains and what is done, by day."),
  cumulativeFlow: z.array(FlowDay).optional().describe("Items in each state group, by day."),
  cycleTime: CycleTime.optional().describe("How long the items took that finished in the window."),
  throughput: Throughput.optional().describe("How many items finished."),
  velocity: Velocity.optional().describe("How many points finished."),
  aging: Aging.optional().describe("How old is what is in progress."),
  forecast: Forecast.optional().describe("The answer to `forecast`."),
  svg: Charts.optional().describe("The charts, each a text of SVG."),
  warnings: z
    .array(Warning)
    .describe("One per kind of doubt about the data, and one per key that is likely a mistake."),
});
export type FlowOutput = z.output<typeof FlowOutput>;
