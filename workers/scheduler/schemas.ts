/** Inputs and outputs of the scheduler's actions, beside those of `hold` and `put`. */
import { anySpelling } from "@tl-engine/shared";
import { z } from "zod";
import { EngineName, JobId } from "./held-job.ts";
import { ScheduleName } from "./spec.ts";

const Instant = z.iso
  .datetime({ offset: true })
  .refine((text) => Date.parse(text) >= 0 && Date.parse(text) < Date.UTC(3000, 0), {
    error: "must lie between the years 1970 and 3000",
  });
const Told = z.string().describe("ISO-8601, UTC.");

export const NameInput = anySpelling(z.object({ name: ScheduleName }));
export const JobInput = anySpelling(z.object({ engine: EngineName, id: JobId }));
export const ChangeInput = anySpelling(
  z.object({
    engine: EngineName,
    id: JobId,
    runAt: Instant.describe("When it is to run instead, ISO-8601, at most a year ahead."),
  }),
);
export const BackfillInput = anySpelling(
  z.object({
    name: ScheduleName,
    from: Instant.describe("The first instant whose slot is to be run, ISO-8601."),
    to: Instant.describe("The last one; it must have passed."),
  }),
);
export const ListInput = anySpelling(
  z.object({
    engine: EngineName.optional().describe("Only what is for this engine."),
    limit: z.int().min(1).max(500).default(100).describe("Schedules, and jobs, at most."),
    after: z
      .string()
      .max(200)
      .refine((text) => !text.includes("\0"), { error: "must not hold a NUL" })
      .default("")
      .describe("The last name of a schedule, and id of a job, that an earlier answer had."),
  }),
);

export const PutOutput = z.object({
  name: z.string().describe("The schedule."),
  nextRuns: z.array(Told).describe("Its next three slots; none when it has no more."),
  warnings: z
    .array(
      z.object({
        code: z.string().describe("`unknown_key` or `conflicting_keys`."),
        path: z.string().describe("The key."),
        message: z.string().describe("What is wrong with it, in words."),
      }),
    )
    .describe("Keys that were ignored, and are likely misspelt."),
});
export const DoneOutput = z.object({
  done: z.boolean().describe("Whether there was anything to do: false when it was so already."),
});
export const RunOutput = z.object({ id: z.string().describe("Id of the job that was put.") });
export const BackfillOutput = z.object({
  slots: z.int().describe("Slots between the two instants."),
  put: z.int().describe("Those of them that had not run, and were put."),
});

const Slot = z.object({
  at: Told,
  state: z.string().describe("`fired`, `queued`, `skipped` or `missed`."),
  count: z.int().describe("How many slots this stands for: several that were missed are one."),
});
const ListedSchedule = z.object({
  name: z.string().describe("The schedule."),
  type: z.string().describe("Type of its jobs."),
  cron: z.string().optional().describe("Its pattern."),
  everySeconds: z.number().optional().describe("Or its interval."),
  timeZone: z.string().describe("The zone that its pattern is read in."),
  source: z.string().describe("`file` or `job`."),
  paused: z.boolean().describe("Whether it stands still."),
  nextRuns: z.array(Told).describe("Its next three slots; none while it is paused."),
  lastSlots: z.array(Slot).describe("What became of the last five."),
});
const ListedJob = z.object({
  engine: z.string().describe("Its engine."),
  id: z.string().describe("Its id."),
  type: z.string().describe("Its type."),
  runAt: Told,
});
export const ListOutput = z.object({
  schedules: z.array(ListedSchedule).describe("Those of the publisher's own, by name."),
  jobs: z.array(ListedJob).describe("Jobs of its own that wait, by id."),
});
export type ListOutput = z.output<typeof ListOutput>;
