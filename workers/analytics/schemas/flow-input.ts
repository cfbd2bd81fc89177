/** Input of `flow`. */
import { z } from "zod";
import { daysBetween, isTimeZone } from "../days.ts";
import { CalendarDay, CEILINGS, Group, Id, Instant } from "./vocabulary.ts";

export const METRICS = [
  "burn",
  "cumulativeFlow",
  "cycleTime",
  "throughput",
  "velocity",
  "aging",
] as const;

export const Scope = z
  .object({
    workspaceId: Id.optional(),
    projectId: Id.optional(),
    projectIds: z.array(Id).min(1).max(CEILINGS.projectsPerFlow).optional(),
    cycleId: Id.optional(),
    /** Narrows any of them to the items that carry the label. */
    labelId: Id.optional(),
  })
  .refine(
    (s) => [s.projectId, s.projectIds, s.cycleId].filter((v) => v !== undefined).length === 1,
    {
      message: "give exactly one of projectId, projectIds and cycleId",
    },
  );
export type Scope = z.output<typeof Scope>;

export const Window = z
  .object({
    /** First and last local day, both included. */
    from: CalendarDay,
    to: CalendarDay,
    /** IANA name; days begin and end at its midnights. */
    timeZone: z
      .string()
      .max(100)
      .refine(isTimeZone, "is no time zone that this engine knows")
      .default("UTC"),
  })
  .refine(({ from, to }) => from <= to, { message: "`to` is before `from`", path: ["to"] })
  .refine(({ from, to }) => daysBetween(from, to) < CEILINGS.daysPerWindow, {
    message: `the window is longer than ${CEILINGS.daysPerWindow} days`,
  });
export type Window = z.output<typeof Window>;

export const ForecastInput = z
  .object({
    /** How many more items: asks *when*. Default, without `until`: the scope's remaining items. */
    remaining: z.int().min(1).max(1_000_000).optional(),
    /** A day after the last one seen: asks *how many* are done by its end. */
    until: CalendarDay.optional(),
    /** Days of throughput to sample from, back from the last day seen; recent ones weigh more. */
    historyDays: z.int().min(14).max(3_660).default(180),
    /** Together with the days ahead bounded by `CEILINGS.simulatedDays`: 27,382 where no `until` is asked about. */
    simulations: z.int().min(100).max(100_000).default(10_000),
    /** The same seed and history give the same forecast. */
    seed: z.int().min(0).max(4_294_967_295).default(1),
    /** Confidence in percent: with it, the answer holds or is better. */
    percentiles: z.array(z.number().gt(0).lt(100)).min(1).max(20).default([50, 85, 95]),
  })
  .refine((f) => f.remaining === undefined || f.until === undefined, {
    message: "give `remaining` or `until`, not both",
  });
export type ForecastInput = z.output<typeof ForecastInput>;

export const FlowInput = z.object({
  scope: Scope,
  window: Window,
  metrics: z
    .array(z.enum(METRICS))
    .max(METRICS.length)
    .default([...METRICS]),
  /** What burn counts. Items without points weigh 0. */
  unit: z.enum(["items", "points"]).default("items"),
  /** Group by state id, for all times, before the one recorded with each change. */
  states: z
    .record(Id, Group)
    .refine((states) => Object.keys(states).length <= CEILINGS.statesPerJob, {
      message: `at most ${CEILINGS.statesPerJob} states`,
    })
    .default({}),
  forecast: ForecastInput.optional(),
  /** Nothing later than this is seen. Default: the time of the run. */
  asOf: Instant.optional(),
  /** Draws each of the asked metrics, and the forecast, as SVG. */
  svg: z.boolean().default(false),
  /** What the charts are of, such as the project's name. */
  title: z.string().max(120).optional(),
});
export type FlowInput = z.output<typeof FlowInput>;
