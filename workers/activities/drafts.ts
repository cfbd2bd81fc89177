/** A draft of an item is created, edited, published as an item, deleted. */
import { addEntry, type Recorder } from "./recording.ts";

export const draftCreated: Recorder = (recording) =>
  addEntry(recording, { verb: "created", field: "draft" });

/** A draft that stops being one becomes an item: an entry without a field, like that of a creation. */
export const draftUpdated: Recorder = (recording) =>
  addEntry(
    recording,
    recording.change.requested.isDraft === false
      ? { verb: "updated" }
      : { verb: "updated", field: "draft" },
  );

export const draftDeleted: Recorder = (recording) =>
  addEntry(recording, { verb: "deleted", field: "draft" });
