/** A file is attached to an item or removed from it. */
import { readId, readText } from "./read-values.ts";
import { addEntry, type Recorder } from "./recording.ts";

/** Plane sends the attachment as `current`, since it exists by then. */
export const attachmentCreated: Recorder = (recording) => {
  const { current, requested } = recording.change;
  addEntry(recording, {
    verb: "created",
    field: "attachment",
    newValue: readText(recording, "current.asset", current?.asset ?? requested.asset) ?? "",
    newIdentifier: readId(recording, "current.id", current?.id ?? requested.id),
  });
};

export const attachmentDeleted: Recorder = (recording) =>
  addEntry(recording, { verb: "deleted", field: "attachment" });
