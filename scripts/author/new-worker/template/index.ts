/** The engine `template`: what it does, in one sentence. */
import { action, anySpelling, defineWorker } from "@tl-engine/shared";
import { z } from "zod";
import sampleJobs from "./sample-job.ts";

export default defineWorker({
  name: "template",
  concurrency: 16,
  timeoutMs: 10_000,
  actions: {
    /** An example to replace. */
    greet: action({
      version: 1,
      input: anySpelling(
        z.object({ name: z.string().min(1).max(200).describe("Who is greeted.") }),
      ),
      output: z.object({ greeting: z.string().describe("What to say to them.") }),
      examples: [{ title: "Greets Ada.", input: (n) => sampleJobs(n, []).input }],
      handle({ name }) {
        return { greeting: `Hello, ${name}!` };
      },
    }),
  },
  // What it does by itself, at a time or at an interval; `make contract` hands it to the scheduler:
  // schedules: { nightly: { action: "greet", cron: "0 2 * * *", input: { name: "Ada" } } },
});
