/** What a schedule is: the one schema of the schedules' file and of the jobs that put them. */
import { anySpelling, KeyWarnings } from "@tl-engine/shared";
import { z } from "zod";
import { BadCron, MAX_PATTERN_LENGTH } from "./cron.ts";
import { slotsOf } from "./slots.ts";

const DAY_S = 86_400;
/** A year and a day: what may be waited for, and caught up. */
export const YEAR_S = 366 * DAY_S;
const MAX_INPUT_BYTES = 65_536;

/** `<engine>.<schedule>`, both as engines are named. */
export const SCHEDULE_NAME = /^[a-z][a-z0-9-]{0,39}\.[a-z][a-z0-9-]{0,39}$/;
/** `<engine>.<action>.v<N>`. */
export const JOB_TYPE = /^[a-z][a-z0-9-]{0,39}\.[a-z][a-z0-9-]{0,39}\.v[1-9][0-9]{0,5}$/;

export const ScheduleName = z
  .string()
  .max(81)
  .regex(SCHEDULE_NAME)
  .describe("Name of the schedule, `<engine>.<name>`: the engine is the one that its jobs go to.");

const Instant = z.iso
  .datetime({ offset: true })
  .refine((text) => Date.parse(text) >= 0 && Date.parse(text) < Date.UTC(3000, 0), {
    error: "must lie between the years 1970 and 3000",
  });

const fields = {
  name: ScheduleName,
  type: z
    .string()
    .max(90)
    .regex(JOB_TYPE)
    .describe("Type of its jobs, `<engine>.<action>.v<N>`, of the engine in its name."),
  lane: z
    .enum(["interactive", "bulk"])
    .default("interactive")
    .describe("The engine's queue that its jobs go to."),
  cron: z
    .string()
    .max(MAX_PATTERN_LENGTH)
    .optional()
    .describe(
      "Minute, hour, day, month, weekday; also `L`, `W`, `#`, and `+` before the weekday for day *and* weekday. Either this or `everySeconds`.",
    ),
  timeZone: z
    .string()
    .max(60)
    .default("UTC")
    .describe(
      "IANA name of the zone that `cron` is read in. A time that the clock leaps over fires once, when it has leapt; one that comes twice fires once.",
    ),
  everySeconds: z
    .int()
    .min(1)
    .max(YEAR_S)
    .optional()
    .describe("Seconds from one run to the next, counted from `anchor`."),
  anchor: Instant.default("1970-01-01T00:00:00Z").describe(
    "Where the intervals are counted from, ISO-8601.",
  ),
  input: z
    .json()
    .default({})
    .refine((input) => Buffer.byteLength(JSON.stringify(input)) <= MAX_INPUT_BYTES, {
      error: `must not be larger than ${MAX_INPUT_BYTES} bytes`,
    })
    .describe(`Input of its jobs, at most ${MAX_INPUT_BYTES} bytes of JSON.`),
  jitterSeconds: z
    .int()
    .min(0)
    .max(3_600)
    .default(0)
    .describe("Each run is later than its slot by 0 to so many seconds, always the same ones."),
  overlap: z
    .enum(["skip", "queue-one", "allow"])
    .default("skip")
    .describe(
      "What becomes of a slot while the previous run goes on: left out, one of them run after it, or run beside it.",
    ),
  runLimitSeconds: z
    .int()
    .min(1)
    .max(30 * DAY_S)
    .default(3_600)
    .describe(
      "How long a run counts as going on, at most, without a result: it is no longer waited for then.",
    ),
  catchUp: z
    .object({
      policy: z
        .enum(["skip", "once", "all"])
        .default("once")
        .describe(
          "Of the slots missed: run none of them, the last, or all, which takes overlap allow.",
        ),
      windowSeconds: z
        .int()
        .min(0)
        .max(YEAR_S)
        .default(3_600)
        .describe("How old a missed slot may be that is still run, seconds."),
    })
    .prefault({})
    .describe("What becomes of slots that nobody was there to run, more than a minute late."),
};

type Fields = z.output<z.ZodObject<typeof fields>>;
type Problem = (path: string, message: string) => void;

/** What one field alone can't say. */
function checkTogether(spec: Fields, problem: Problem): void {
  const { name, type, cron, everySeconds, overlap, catchUp } = spec;
  if (type.split(".")[0] !== name.split(".")[0])
    problem("type", "must be of the engine that the name begins with");
  if (catchUp.policy === "all" && overlap !== "allow")
    problem("overlap", "must be allow where all missed slots are run: they run together");
  const isEither = (cron === undefined) !== (everySeconds === undefined);
  if (!isEither) problem("cron", "give either cron or everySeconds");
  if (isEither) checkTiming(spec, problem);
}

function checkTiming(spec: Fields, problem: Problem): void {
  try {
    // Within a leap day's longest wait, and far from where dates end.
    if (slotsOf({ ...spec, anchorMs: 0 })(Date.UTC(2026, 0)) === undefined)
      problem("cron", "never comes to pass");
  } catch (error) {
    if (!(error instanceof BadCron)) throw error;
    problem("cron", error.message);
  }
}

/** Of a job that puts it, and of the file. */
export const ScheduleInput = anySpelling(
  z.object({ ...fields, keyWarnings: KeyWarnings }).superRefine((spec, context) => {
    checkTogether(spec, (path, message) =>
      context.addIssue({ code: "custom", path: [path], message }),
    );
  }),
);

/** A schedule as it is kept. */
export type ScheduleSpec = Omit<Fields, "anchor"> & { anchorMs: number };

/** Of an input that its schema let pass. */
export function specOf({ anchor, ...input }: z.output<typeof ScheduleInput>): ScheduleSpec {
  const { keyWarnings: _, ...spec } = input as typeof input & { keyWarnings?: unknown };
  return { ...spec, anchorMs: Date.parse(anchor) };
}

/** A file's schedules: all of them good, each name once. */
export const ScheduleFile = z
  .array(ScheduleInput)
  .max(10_000)
  .refine((specs) => new Set(specs.map(({ name }) => name)).size === specs.length, {
    error: "has two schedules of one name",
  });
