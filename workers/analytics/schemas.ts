/** The contract of the engine: input and output of `ingest` and `flow`, with their ceilings. */
import { z } from "zod";
import { daysBetween, isTimeZone } from "./days.ts";

/** Plane's state groups. Open is backlog, unstarted or started; done is completed; cancelled is neither. */
export const STATE_GROUPS = ["backlog", "unstarted", "started", "completed", "cancelled"] as const;
export type StateGroup = (typeof STATE_GROUPS)[number];

/** Ceilings of lists. Past them a job is `invalid_input`, with the path of the list. */
export const CEILINGS = {
  itemsPerJob: 5_000,
  historyPerItem: 5_000,
  changesPerJob: 50_000,
  idsPerItem: 500,
  statesPerJob: 5_000,
  projectsPerFlow: 200,
  daysPerWindow: 3_660,
  /** Stored changes that one `flow` reads; more is `rejected`: ask for fewer projects. */
  changesPerFlow: 500_000,
  /** Items listed one by one in an output, newest or oldest first; percentiles always see all. */
  itemsListed: 1_000,
  warningsListed: 100,
} as const;

/** Text that Postgres can store: it refuses NUL. */
const storable = (maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .refine((text) => !text.includes("\0"), "must not hold a NUL character");
/** An opaque id of the tracker's. */
const Id = storable(200).min(1);
const Group = z.enum(STATE_GROUPS);
/** A local calendar day, YYYY-MM-DD. */
const CalendarDay = z.iso.date();
/** An instant in ISO-8601 with `Z` or an offset. */
const Instant = z.iso.datetime({ offset: true });

/**
 * An element that is checked on its own later, so that a bad one becomes a warning and its
 * neighbours live. Callers still get its type, and the generated contract its shape.
 */
function tolerant<Schema extends z.ZodType>(schema: Schema) {
  const { $schema: _, ...shape } = z.toJSONSchema(schema, { io: "input" });
  return z.unknown().meta(shape) as unknown as z.ZodType<unknown, z.input<Schema>>;
}

// ── ingest ──────────────────────────────────────────────────────────────────────────────────────

/**
 * What the history keeps of a work item. `state` and `points` have one value (the change sets it
 * to `to`); `label` and `cycle` are sets (the change takes `from` out and puts `to` in);
 * `deleted` needs neither. Other fields are no concern of flow metrics and are skipped silently.
 */
export const FIELDS = ["state", "points", "label", "cycle", "deleted"] as const;
export type Field = (typeof FIELDS)[number];

const FieldValue = z.union([Id, z.number(), z.literal("")]).nullish();

export const HistoryChange = z.object({
  /** Makes repeats recognisable; by default derived from item, field, time and values. */
  id: Id.optional(),
  at: Instant,
  field: z.string().max(100),
  /** State, label or cycle id, or points; null, "" or absent is none. */
  from: FieldValue,
  to: FieldValue,
});
export type HistoryChange = z.output<typeof HistoryChange>;

export const IngestItem = z.object({
  id: Id,
  /** Absent when only some changes are known; the item then exists from the earliest of them. */
  createdAt: Instant.optional(),
  /** In any order. */
  history: z.array(tolerant(HistoryChange)).max(CEILINGS.historyPerItem).default([]),
  /**
   * State, points, labels and cycles as they are after the last change of `history`; the values at
   * creation are found by undoing it. They only count when `createdAt` is there.
   */
  state: Id.nullish(),
  points: z.union([z.number(), storable(100)]).nullish(),
  labels: z.array(Id).max(CEILINGS.idsPerItem).default([]),
  cycle: Id.nullish(),
  /** For items in several cycles; adds to `cycle`. */
  cycles: z.array(Id).max(CEILINGS.idsPerItem).default([]),
});
export type IngestItem = z.output<typeof IngestItem>;

const historyLength = (item: unknown) => {
  const history = (item as { history?: unknown } | null)?.history;
  return Array.isArray(history) ? history.length : 0;
};

export const IngestInput = z.object({
  /** Null where it is not known; such facts are in every workspace's scope. */
  workspaceId: Id.nullish(),
  projectId: Id,
  items: z
    .array(tolerant(IngestItem))
    .max(CEILINGS.itemsPerJob)
    .refine(
      (items) =>
        items.reduce<number>((sum, item) => sum + historyLength(item), 0) <= CEILINGS.changesPerJob,
      {
        message: `the items hold more than ${CEILINGS.changesPerJob} changes together; send several jobs`,
      },
    ),
  /** Name and group of the states that occur, as they are now; the group is recorded with each change. */
  states: z
    .record(
      Id,
      z.object({ name: z.string().max(500).nullish(), group: z.string().max(50).nullish() }),
    )
    .refine((states) => Object.keys(states).length <= CEILINGS.statesPerJob, {
      message: `at most ${CEILINGS.statesPerJob} states`,
    })
    .default({}),
});
export type IngestInput = z.output<typeof IngestInput>;

export const IngestOutput = z.object({
  /** Good items of the job, and the facts (creations, values at creation, changes) they brought; repeats count too. */
  items: z.int(),
  changes: z.int(),
  /** Elements that were left out or taken in part, at most 100 of them listed. */
  warnings: z.array(z.object({ code: z.string(), path: z.string(), message: z.string() })),
  warningsTotal: z.int(),
});
export type IngestOutput = z.output<typeof IngestOutput>;

// ── flow: input ─────────────────────────────────────────────────────────────────────────────────

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

// ── flow: output ────────────────────────────────────────────────────────────────────────────────

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
