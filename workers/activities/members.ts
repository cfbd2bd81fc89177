/** Labels and assignees: an entry for each one added or removed, and added assignees subscribe. */
import type { LookupKind } from "./change-set.ts";
import { nameOf, readIds } from "./read-values.ts";
import { addEntry, type Recorder, type Recording } from "./recording.ts";

type MemberKey = "labelIds" | "assigneeIds";

const KINDS: Record<MemberKey, { field: string; lookups: LookupKind }> = {
  labelIds: { field: "labels", lookups: "labels" },
  assigneeIds: { field: "assignees", lookups: "users" },
};

export const labels: Recorder = (recording) => {
  recordMembers(recording, "labelIds", recording.change.current?.labelIds);
};

export const assignees: Recorder = (recording) => {
  const added = recordMembers(recording, "assigneeIds", recording.change.current?.assigneeIds);
  recording.subscribersAdded.push(...added);
};

/** On creation, when nobody was assigned before. */
export const addedAssignees: Recorder = (recording) => {
  recording.subscribersAdded.push(...recordMembers(recording, "assigneeIds", null));
};

/** Records the differences of two sets, added ids first, each part by id; returns the added ids. */
function recordMembers(recording: Recording, key: MemberKey, before: unknown): string[] {
  const { field, lookups } = KINDS[key];
  const oldIds = readIds(recording, `current.${key}`, before);
  const newIds = readIds(recording, `requested.${key}`, recording.change.requested[key]);
  // When one side can't be read, neither can the difference.
  if (!oldIds || !newIds) return [];
  const added = [...newIds.difference(oldIds)].sort();
  const removed = [...oldIds.difference(newIds)].sort();
  for (const id of added) {
    const newValue = nameOf(recording, lookups, id, `requested.${key}`);
    addEntry(recording, { verb: "updated", field, oldValue: "", newValue, newIdentifier: id });
  }
  for (const id of removed) {
    const oldValue = nameOf(recording, lookups, id, `current.${key}`);
    addEntry(recording, { verb: "updated", field, oldValue, newValue: "", oldIdentifier: id });
  }
  return added;
}
