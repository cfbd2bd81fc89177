/** An item is created, updated, deleted. */

import type { DataKey } from "./border.ts";
import {
  archivedAt,
  closedTo,
  description,
  estimate,
  name,
  parent,
  priority,
  startDate,
  state,
  targetDate,
} from "./fields.ts";
import { addedAssignees, assignees, labels } from "./members.ts";
import { readId } from "./read-values.ts";
import { addEntry, type Recorder, warn } from "./recording.ts";

/** The keys of an update in the order of their entries. Only keys present in `requested` count. */
const FIELDS: readonly (readonly [DataKey, Recorder])[] = [
  ["name", name],
  ["parentId", parent],
  ["priority", priority],
  ["stateId", state],
  ["descriptionHtml", description],
  ["targetDate", targetDate],
  ["startDate", startDate],
  ["labelIds", labels],
  ["assigneeIds", assignees],
  ["estimatePoint", estimate],
  ["archivedAt", archivedAt],
  ["closedTo", closedTo],
];

/** Who is named as its creator is the actor of the creation, whoever sent it; of the assignees it is the sender. */
export const issueCreated: Recorder = (recording) => {
  const { createdBy } = recording.change.requested;
  const creator = readId(recording, "requested.createdBy", createdBy);
  addEntry(recording, { verb: "created", ...(creator && { actorId: creator }) });
  addedAssignees(recording);
};

export const issueUpdated: Recorder = (recording) => {
  const { requested, current } = recording.change;
  const changed = FIELDS.filter(([key]) => requested[key] !== undefined);
  // Closing by automation has no old value, so it needs no `current`.
  if (current === null && changed.some(([key]) => key !== "closedTo"))
    warn(
      recording,
      "missing_current",
      "current",
      "an update without it: old values count as absent",
    );
  for (const [, record] of changed) record(recording);
};

export const issueDeleted: Recorder = (recording) =>
  addEntry(recording, { verb: "deleted", field: "issue" });
