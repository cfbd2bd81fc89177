/** Output of `flow`. */
import { z } from "zod";
import { CalendarDay, Instant } from "./vocabulary.ts";

const Durations = z.object({
  count: z.int(),
  /** Nearest-rank percentiles in days of 24 hours; null when there is no item. */
  p50Days: z.number().nullable(),
  p85Days: z.number().nullable(),
  p95Days: z.number().nullable(),
});
const Week = z.object({
  /** ISO 8601 week, such as 2026-W01. */
  week: z.string(),
  /** Its Monday. */
  monday: CalendarDay,
  /** How many of its days the window covers, 1 to 7. */
  days: z.int(),
});
const Coverage = z.object({
  horizonDays: z.int(),
  /** Nominal coverage of the interval, 0 to 1. */
  nominal: z.number(),
  /** Back-tests made: forecasts from a past day, of which the outcome is known. */
  tests: z.int(),
  /** Share of the outcomes inside of the central interval; null without tests. */
  covered: z.number().nullable(),
  /** Share of the outcomes at or above the one-sided "at least so many" bound of the same confidence. */
  coveredOneSided: z.number().nullable(),
});

export const Forecast = z.object({
  /** The last day seen; day 1 of the forecast is the next one. */
  from: CalendarDay,
  question: z.enum(["when", "how many"]),
  remaining: z.int().nullable(),
  until: CalendarDay.nullable(),
  simulations: z.int(),
  historyDays: z.int(),
  /** When: `date` (null: not within 3,660 days) and `days`. How many: `items`. In the order asked. */
  percentiles: z.array(
    z.object({
      percentile: z.number(),
      date: CalendarDay.nullish(),
      days: z.int().nullish(),
      items: z.int().optional(),
    }),
  ),
  /** How the method did on this very history. */
  calibration: z.array(Coverage),
});
export type Forecast = z.output<typeof Forecast>;

export const FlowOutput = z.object({
  asOf: Instant,
  /** The last day that the series hold: `window.to`, or the day of `asOf` if earlier; null if the window is all after it. */
  lastDay: CalendarDay.nullable(),
  /** On the last day seen. */
  items: z.object({ total: z.int(), open: z.int(), done: z.int(), cancelled: z.int() }),
  burn: z
    .array(
      z.object({ date: CalendarDay, remaining: z.number(), scope: z.number(), done: z.number() }),
    )
    .optional(),
  cumulativeFlow: z
    .array(
      z.object({
        date: CalendarDay,
        backlog: z.int(),
        unstarted: z.int(),
        started: z.int(),
        completed: z.int(),
        cancelled: z.int(),
      }),
    )
    .optional(),
  cycleTime: z
    .object({
      cycle: Durations,
      lead: Durations,
      /** The newest 1,000 finished items, latest first. */
      items: z.array(
        z.object({
          itemId: z.string(),
          finishedAt: Instant,
          cycleDays: z.number().nullable(),
          leadDays: z.number(),
        }),
      ),
    })
    .optional(),
  throughput: z
    .object({
      days: z.array(z.object({ date: CalendarDay, items: z.int() })),
      weeks: z.array(Week.extend({ items: z.int() })),
    })
    .optional(),
  velocity: z
    .object({
      weeks: z.array(Week.extend({ items: z.int(), points: z.number() })),
      /** Mean of the whole weeks; null when the window has none. */
      meanPointsPerWeek: z.number().nullable(),
      /** By the cycles that the finished items are in on the last day; an item in two counts in both. */
      cycles: z.array(z.object({ cycleId: z.string(), items: z.int(), points: z.number() })),
    })
    .optional(),
  aging: z
    .object({
      total: z.int(),
      /** Started and unfinished items, oldest first, at most 1,000. */
      items: z.array(
        z.object({
          itemId: z.string(),
          stateId: z.string().nullable(),
          startedAt: Instant,
          ageDays: z.number(),
          inStateDays: z.number(),
          /** Older than 85 % of the finished items of the window were when they finished; null without any. */
          beyondP85: z.boolean().nullable(),
        }),
      ),
    })
    .optional(),
  forecast: Forecast.optional(),
  svg: z
    .object({
      burn: z.string().optional(),
      cumulativeFlow: z.string().optional(),
      cycleTime: z.string().optional(),
      throughput: z.string().optional(),
      velocity: z.string().optional(),
      aging: z.string().optional(),
      forecast: z.string().optional(),
    })
    .optional(),
  /** One per kind of doubt about the data, with how often and at most five items as examples. */
  warnings: z.array(
    z.object({
      code: z.string(),
      message: z.string(),
      count: z.int(),
      itemIds: z.array(z.string()),
    }),
  ),
});
export type FlowOutput = z.output<typeof FlowOutput>;
