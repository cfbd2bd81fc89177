/** An item is put into a module or taken out. */
import { type Data, isObject } from "./border.ts";
import { kindOf, lookUp, nameOf, readId, readIds, readList, readText } from "./read-values.ts";
import { addEntry, type Entry, type Recorder, type Recording, warn } from "./recording.ts";

export const moduleCreated: Recorder = (recording) => {
  const { createdModuleIssues } = recording.change.current ?? {};
  if (createdModuleIssues !== undefined) return createdByApi(recording, createdModuleIssues);
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

/** Plane's API names items and module in records. */
function createdByApi(recording: Recording, sent: unknown): void {
  readList(recording, "current.createdModuleIssues", sent)?.forEach((record, index) => {
    const field = `current.createdModuleIssues[${index}]`;
    if (!isObject(record)) {
      warn(recording, "invalid_value", field, `expected an object, got ${kindOf(record)}`);
      return;
    }
    const { issueId: item, moduleId }: Data = record;
    const issueId = readId(recording, `${field}.issueId`, item);
    const id = readId(recording, `${field}.moduleId`, moduleId);
    if (issueId === null)
      warn(recording, "missing_issue", `${field}.issueId`, "the record has no item");
    if (id === null)
      warn(recording, "missing_value", `${field}.moduleId`, "the record has no module");
    if (!issueId || !id) return;
    addEntry(recording, {
      issueId,
      verb: "created",
      field: "modules",
      oldValue: "",
      newValue: nameOf(recording, "modules", id, `${field}.moduleId`),
      newIdentifier: id,
    });
  });
}

/** The name comes with the message, since the module may be gone. */
export const moduleDeleted: Recorder = (recording) => {
  const { requested, current } = recording.change;
  const id = readId(recording, "requested.moduleId", requested.moduleId);
  const sentName = readText(
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
