/** Input of `flow`. */
import { anySpelling, KeyWarnings } from "@tl-engine/shared";
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

/** One of several fields must be there, under either of its spellings, in JSON Schema's words. */
const given = (...names: string[]) => ({
  anyOf: names.map((name) => ({
    required: [name],
    properties: { [name]: { not: { type: "null" } } },
  })),
});

export const Scope = z
  .object({
    workspaceId: Id.optional().describe("Narrows to one workspace, beside the others."),
    projectId: Id.optional().describe("One project."),
    projectIds: z
      .array(Id)
      .min(1)
      .max(CEILINGS.projectsPerFlow)
      .optional()
      .describe("Several projects, as one."),
    cycleId: Id.optional().describe("One cycle, of whichever projects."),
    labelId: Id.optional().describe("Narrows any of them to the items that carry the label."),
  })
  .refine(
    (s) => [s.projectId, s.projectIds, s.cycleId].filter((v) => v !== undefined).length === 1,
    {
      message: "give exactly one of projectId, projectIds and cycleId",
    },
  )
  .meta({
    oneOf: [
      given("projectId", "project_id"),
      given("projectIds", "project_ids"),
      given("cycleId", "cycle_id"),
    ],
  });
export type Scope = z.output<typeof Scope>;

export const Window = z
  .object({
    from: CalendarDay.describe("The first local day, YYYY-MM-DD."),
    to: CalendarDay.describe("The last local day, included."),
    timeZone: z
      .string()
      .max(100)
      .refine(isTimeZone, "is no time zone that this engine knows")
      .default("UTC")
      .describe("IANA name; days begin and end at its midnights."),
  })
  .refine(({ from, to }) => from <= to, { message: "`to` is before `from`", path: ["to"] })
  .refine(({ from, to }) => daysBetween(from, to) < CEILINGS.daysPerWindow, {
    message: `the window is longer than ${CEILINGS.daysPerWindow} days`,
  });
export type Window = z.output<typeof Window>;

export const ForecastInput = z
  .object({
    remaining: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe(
        "How many more items: asks *when*. Default, without `until`: the scope's remaining items.",
      ),
    until: CalendarDay.optional().describe(
      "A day after the last one seen: asks *how many* are done by its end.",
    ),
    historyDays: z
      .int()
      .min(14)
      .max(3_660)
      .default(180)
      .describe(
        "Days of throughput to sample from, back from the last day seen; recent ones weigh more.",
      ),
    simulations: z
      .int()
      .min(100)
      .max(100_000)
      .default(10_000)
      .describe(
        "Futures that are drawn; together with the days ahead bounded: 27,382 where no `until` is asked about.",
      ),
    seed: z
      .int()
      .min(0)
      .max(4_294_967_295)
      .default(1)
      .describe("The same seed and history give the same forecast."),
    percentiles: z
      .array(z.number().gt(0).lt(100))
      .min(1)
      .max(20)
      .default([50, 85, 95])
      .describe("Confidence in percent: with it, the answer holds or is better."),
  })
  .refine((f) => f.remaining === undefined || f.until === undefined, {
    message: "give `remaining` or `until`, not both",
  })
  .meta({ not: { allOf: [given("remaining"), given("until")] } });
export type ForecastInput = z.output<typeof ForecastInput>;

export const FlowInput = anySpelling(
  z.object({
    scope: Scope.describe("Whose items: exactly one of `projectId`, `projectIds` and `cycleId`."),
    window: Window.describe("The days that the series hold."),
    metrics: z
      .array(z.enum(METRICS))
      .max(METRICS.length)
      .default([...METRICS])
      .describe("What is computed; by default all."),
    unit: z
      .enum(["items", "points"])
      .default("items")
      .describe("What burn counts. Items without points weigh 0."),
    states: z
      .record(Id, Group)
      .refine((states) => Object.keys(states).length <= CEILINGS.statesPerJob, {
        message: `at most ${CEILINGS.statesPerJob} states`,
      })
      .meta({ maxProperties: CEILINGS.statesPerJob })
      .default({})
      .describe("Group by state id, for all times, before the one recorded with each change."),
    forecast: ForecastInput.optional().describe("Asks when, or how many; absent: no forecast."),
    asOf: Instant.optional().describe(
      "Nothing later than this is seen, ISO-8601. Default: the time of the run.",
    ),
    svg: z
      .boolean()
      .default(false)
      .describe("Draws each of the asked metrics, and the forecast, as SVG."),
    title: z
      .string()
      .max(120)
      .optional()
      .describe("What the charts are of, such as the project's name."),
    keyWarnings: KeyWarnings,
  }),
);
export type FlowInput = z.output<typeof FlowInput>;
