/** A ready-made action, for whoever has a clock: a job to it sweeps the engine's files. */
import { z } from "zod";
import { action } from "../engine/define-worker.ts";

const count = (of: string) => z.number().int().min(0).describe(of);

/** `actions: { "sweep-files": sweepFilesAction }`; for an engine with `files: true`. */
export const sweepFilesAction = action({
  version: 1,
  input: z.object({}),
  output: z.object({
    expired: count("Files removed that were past their time."),
    orphans: count("Files removed whose job never succeeded."),
    uploads: count("Uploads aborted that were begun and never ended."),
    isMore: z.boolean().describe("Whether there is more to remove: send the job again."),
  }),
  handle: (_, job) => job.files.sweep(),
});
