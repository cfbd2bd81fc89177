/** The scheduler's own variables. */
import { z } from "zod";

export const Environment = z.object({
  SCHEDULER_FILE: z
    .string()
    .optional()
    .describe(
      "File with the schedules of the repository, as JSON; without it there are only those of jobs",
    ),
  SCHEDULER_ADMINS: z
    .string()
    .default("tl-engine-tools")
    .transform((list) => list.split(",").map((name) => name.trim()))
    .describe(
      "Broker users, comma-separated, who may pause, run and list the schedules of the file and of others",
    ),
  SCHEDULER_HISTORY_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(3_650)
    .default(30)
    .describe("Age at which the history of slots is purged, days"),
  SCHEDULER_POLL_MS: z.coerce
    .number()
    .int()
    .min(1_000)
    .max(3_600_000)
    .default(240_000)
    .describe(
      "How often the scheduler asks Redis, three commands each, what another one has left behind, milliseconds",
    ),
});
export type Environment = z.output<typeof Environment>;
