/** Items are put into a cycle, moved between cycles, taken out. The records name the items. */
import { type Place, recordIssue, recordPlaced, recordsOf } from "./placements.ts";
import { lookUp, nameOf, readId, readIds, readName } from "./read-values.ts";
import { addEntry, type Recorder } from "./recording.ts";

const CYCLE: Place = { noun: "cycle", idKey: "cycleId", kind: "cycles" };

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
  recordPlaced(recording, "createdCycleIssues", CYCLE);
};

/** Also when a cycle is deleted: then its name is only in the message. */
export const cycleDeleted: Recorder = (recording) => {
  const { change } = recording;
  const { requested } = change;
  const id = readId(recording, "requested.cycleId", requested.cycleId);
  const sentName = readName(recording, "requested.cycleName", requested.cycleName);
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
