/** An item in the intake is accepted, rejected, snoozed, marked as a duplicate. */
import { readText } from "./read-values.ts";
import { addEntry, type Recorder, type Recording, warn } from "./recording.ts";

/** Plane's numbers of the intake's statuses. */
const STATUS_NAMES = new Map([
  ["-2", "Pending"],
  ["-1", "Rejected"],
  ["0", "Snoozed"],
  ["1", "Accepted"],
  ["2", "Duplicate"],
]);

/** Other edits in the intake come under this type too, without a status: no entry. */
export const intakeCreated: Recorder = (recording) => {
  const { requested, current } = recording.change;
  const after = readText(recording, "requested.status", requested.status);
  if (after === undefined || after === null || after === "") return;
  const before = readText(recording, "current.status", current?.status);
  addEntry(recording, {
    // As in Plane, the verb is the number of the new status.
    verb: after,
    field: "intake",
    oldValue: before ? statusName(recording, "current", before) : null,
    newValue: statusName(recording, "requested", after),
  });
};

function statusName(recording: Recording, side: string, status: string): string | null {
  const known = STATUS_NAMES.get(status);
  if (known === undefined)
    warn(recording, "unknown_status", `${side}.status`, "the intake has no such status");
  return known ?? null;
}
