/** `on`: an engine that hears what another one announces; each event becomes a job of its own. */
import { action, defineWorker } from "@tl-engine/shared";
import { z } from "zod";

/** What is used of the event, which its engine's contract describes whole (`docs/contract/activities.json`). */
const Recorded = z.object({ issueId: z.string(), activities: z.array(z.unknown()) });

export default defineWorker({
  name: "heard",
  concurrency: 32,
  timeoutMs: 5_000,
  actions: {
    count: action({
      version: 1,
      input: z.object({ itemId: z.string(), changes: z.int() }),
      output: z.object({ itemId: z.string(), changes: z.int() }),
      // The job's id is the event's, so that an event that comes twice counts once.
      handle: (input) => input,
    }),
  },
  on: {
    "activity.recorded": {
      action: "count",
      // Synchronous and pure: what has to be asked for is the handler's. What it throws ends the job as invalid_input.
      map(event) {
        const { issueId, activities } = Recorded.parse(event);
        return { itemId: issueId, changes: activities.length };
      },
    },
  },
});

/** For `make example NAME=on`; without another engine the action takes jobs like any other. */
export const jobs = [["count", { itemId: "WEB-7", changes: 2 }]] as const;
