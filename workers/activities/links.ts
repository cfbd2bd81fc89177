/** A link is added to an item, changed, removed. */
import { readId, readText, sentOr } from "./read-values.ts";
import { addEntry, type Recorder } from "./recording.ts";

export const linkCreated: Recorder = (recording) => {
  const { requested } = recording.change;
  addEntry(recording, {
    verb: "created",
    field: "link",
    newValue: sentOr(requested.url, readText(recording, "requested.url", requested.url), ""),
    newIdentifier: readId(recording, "requested.id", requested.id),
  });
};

export const linkUpdated: Recorder = (recording) => {
  const { requested, current } = recording.change;
  const after = readText(recording, "requested.url", requested.url);
  const before = readText(recording, "current.url", current?.url);
  // A change of the title alone is no change of the link.
  if (requested.url === undefined || after === undefined || before === undefined) return;
  if ((before ?? "") === (after ?? "")) return;
  const id = readId(recording, "current.id", current?.id);
  addEntry(recording, {
    verb: "updated",
    field: "link",
    oldValue: sentOr(current?.url, before, ""),
    newValue: after,
    oldIdentifier: id,
    newIdentifier: id,
  });
};

export const linkDeleted: Recorder = (recording) => {
  const url = recording.change.current?.url;
  addEntry(recording, {
    verb: "deleted",
    field: "link",
    oldValue: sentOr(url, readText(recording, "current.url", url), ""),
    newValue: "",
  });
};
