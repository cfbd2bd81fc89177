/** Items are put into a cycle, moved between cycles, taken out. The records name the items. */
import { type Data, isObject } from "./border.ts";
import { kindOf, lookUp, nameOf, readId, readIds, readList, readText } from "./read-values.ts";
import { addEntry, type Recorder, type Recording, warn } from "./recording.ts";

/** One message for many items: those moved from another cycle, and those that were in none. */
export const cycleCreated: Recorder = (recording) => {
  for (const [field, record] of recordsOf(recording, "updatedCycleIssues")) {
    const issueId = recordIssue(recording, field, record);
    const before = readId(recording, `${field}.oldCycleId`, record.oldCycleId);
    const after = readId(recording, `${field}.newCycleId`, record.newCycleId);
    if (!issueId || before === undefined || after === undefined || before === after) continue;
    addEntry(recording, {
      issueId,
      verb: "updated",
      field: "cycles",
      oldValue: before === null ? "" : nameOf(recording, "cycles", before, `${field}.oldCycleId`),
      newValue: after === null ? "" : nameOf(recording, "cycles", after, `${field}.newCycleId`),
      oldIdentifier: before,
      newIdentifier: after,
    });
  }
  for (const [field, record] of recordsOf(recording, "createdCycleIssues")) {
    const issueId = recordIssue(recording, field, record);
    const id = readId(recording, `${field}.cycleId`, record.cycleId);
    if (id === null)
      warn(recording, "missing_value", `${field}.cycleId`, "the record has no cycle");
    if (!issueId || !id) continue;
    addEntry(recording, {
      issueId,
      verb: "created",
      field: "cycles",
      oldValue: "",
      newValue: nameOf(recording, "cycles", id, `${field}.cycleId`),
      newIdentifier: id,
    });
  }
};

/** Also when a cycle is deleted: then its name is only in the message. */
export const cycleDeleted: Recorder = (recording) => {
  const { change } = recording;
  const { requested } = change;
  const id = readId(recording, "requested.cycleId", requested.cycleId);
  const sentName = readText(recording, "requested.cycleName", requested.cycleName);
  const known = id ? lookUp(recording, "cycles", id)?.name : undefined;
  const oldValue =
    known ?? sentName ?? (id ? nameOf(recording, "cycles", id, "requested.cycleId") : "");
  const listed = readIds(recording, "requested.issues", requested.issues);
  // An empty list is a list: a cycle that held nothing leaves no entry, least of all on itself.
  const isListed = requested.issues !== undefined && requested.issues !== null;
  const issueIds: (string | null)[] =
    isListed && listed !== undefined ? [...listed].sort() : [change.issueId];
  for (const issueId of issueIds)
    addEntry(recording, {
      ...(issueId !== null && { issueId }),
      verb: "deleted",
      field: "cycles",
      oldValue,
      newValue: "",
      oldIdentifier: id,
    });
};

function recordsOf(
  recording: Recording,
  key: "updatedCycleIssues" | "createdCycleIssues",
): [string, Data][] {
  const { current, requested } = recording.change;
  const sent = current?.[key] ?? requested[key];
  const records: [string, Data][] = [];
  readList(recording, `current.${key}`, sent)?.forEach((record, index) => {
    const field = `current.${key}[${index}]`;
    if (isObject(record)) records.push([field, record]);
    else warn(recording, "invalid_value", field, `expected an object, got ${kindOf(record)}`);
  });
  return records;
}

function recordIssue(recording: Recording, field: string, record: Data): string | null | undefined {
  const id = readId(recording, `${field}.issueId`, record.issueId);
  if (id === null) warn(recording, "missing_issue", `${field}.issueId`, "the record has no item");
  return id;
}
