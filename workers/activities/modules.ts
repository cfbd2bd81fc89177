/** An item is put into a module or taken out. */
import { type Place, recordPlaced } from "./placements.ts";
import { lookUp, nameOf, readId, readIds, readName } from "./read-values.ts";
import { addEntry, type Entry, type Recorder, type Recording, warn } from "./recording.ts";

const MODULE: Place = { noun: "module", idKey: "moduleId", kind: "modules" };

export const moduleCreated: Recorder = (recording) => {
  // Plane's API names items and module in records.
  if (recording.change.current?.createdModuleIssues !== undefined)
    return recordPlaced(recording, "createdModuleIssues", MODULE);
  const id = readId(recording, "requested.moduleId", recording.change.requested.moduleId);
  if (id === null)
    warn(recording, "missing_value", "requested.moduleId", "which module is not told");
  if (!id) return;
  addForEachIssue(recording, {
    verb: "created",
    field: "modules",
    oldValue: "",
    newValue: nameOf(recording, "modules", id, "requested.moduleId"),
    newIdentifier: id,
  });
};

/** The name comes with the message, since the module may be gone. */
export const moduleDeleted: Recorder = (recording) => {
  const { requested, current } = recording.change;
  const id = readId(recording, "requested.moduleId", requested.moduleId);
  const sentName = readName(
    recording,
    "current.moduleName",
    current?.moduleName ?? requested.moduleName,
  );
  const known = id ? lookUp(recording, "modules", id)?.name : undefined;
  addForEachIssue(recording, {
    verb: "deleted",
    field: "modules",
    oldValue:
      sentName ?? known ?? (id ? nameOf(recording, "modules", id, "requested.moduleId") : ""),
    newValue: "",
    oldIdentifier: id,
  });
};

/** On the item of the change set, else on those that the message lists. */
function addForEachIssue(recording: Recording, entry: Entry): void {
  const { issueId, requested } = recording.change;
  if (issueId !== null) {
    addEntry(recording, entry);
    return;
  }
  const listed = readIds(recording, "requested.issues", requested.issues);
  if (listed?.size === 0) addEntry(recording, entry);
  for (const listedId of [...(listed ?? [])].sort())
    addEntry(recording, { ...entry, issueId: listedId });
}
