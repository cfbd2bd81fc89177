/** The engine `activities`: turns a change set of a work item into the activity entries that Plane would write. */
import { action, defineWorker } from "@tl-engine/shared";
import { ActivityEntries } from "./activity-entries.ts";
import { ActivityRecorded, activityRecorded } from "./activity-recorded.ts";
import { ChangeSet } from "./change-set.ts";
import { RECORD_EXAMPLES } from "./examples.ts";
import { recordActivities } from "./record-activities.ts";

export default defineWorker({
  name: "activities",
  concurrency: 64,
  timeoutMs: 10_000,
  transactions: 0,
  actions: {
    record: action({
      version: 1,
      input: ChangeSet,
      output: ActivityEntries,
      examples: RECORD_EXAMPLES,
      emits: { "activity.recorded": ActivityRecorded },
      // One id can make two entries of a few hundred bytes, so the output may outgrow the input.
      maxOutputBytes: 4 * 1024 * 1024,
      handle(change, job) {
        const entries = recordActivities(change, job.id);
        const event = activityRecorded(change, entries);
        if (event) job.emit("activity.recorded", event);
        return entries;
      },
    }),
  },
});
