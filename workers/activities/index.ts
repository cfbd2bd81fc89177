/** The engine `activities`: turns a change set of a work item into the activity entries that Plane would write. */
import { action, atOnce, defineWorker, inTurns } from "@tl-engine/shared";
import { ActivityEntries } from "./activity-entries.ts";
import { ActivityRecorded } from "./activity-recorded.ts";
import { ChangeSet } from "./change-set.ts";
import { RECORD_EXAMPLES } from "./examples.ts";
import { isLong, MAX_OUTPUT_BYTES, recordInSteps } from "./record-in-steps.ts";

const MIB = 1_048_576;

export default defineWorker({
  name: "activities",
  concurrency: 64,
  timeoutMs: 10_000,
  transactions: 0,
  // The items of a large cycle are 200 kB of ids, and 6 MB as entries and events.
  maxHeldBytes: 2 * MIB,
  actions: {
    record: action({
      version: 1,
      input: ChangeSet,
      output: ActivityEntries,
      examples: RECORD_EXAMPLES,
      emits: { "activity.recorded": ActivityRecorded },
      // A description of 2 MB before and after, and items by the thousand with their names.
      maxInputBytes: 5 * MIB,
      // One id can make two entries of a few hundred bytes, so the output may outgrow the input.
      maxOutputBytes: MAX_OUTPUT_BYTES,
      handle(change, job) {
        const steps = recordInSteps(change, job);
        return isLong(change) ? inTurns(steps, job.signal) : atOnce(steps);
      },
    }),
  },
});
