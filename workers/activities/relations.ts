/** Two items are related, or no longer: an entry on each, the second with the inverse type. */
import { nameOf, readId, readIds, readName } from "./read-values.ts";
import { addEntry, type Recorder, type Recording, warn } from "./recording.ts";

/** Types that read differently from the other end; all others are symmetric. */
const INVERSE = new Map([
  ["blocked_by", "blocking"],
  ["blocking", "blocked_by"],
  ["start_before", "start_after"],
  ["start_after", "start_before"],
  ["finish_before", "finish_after"],
  ["finish_after", "finish_before"],
  ["implemented_by", "implements"],
  ["implements", "implemented_by"],
]);

export const relationCreated: Recorder = (recording) => {
  const type = relationType(recording);
  const others = readIds(recording, "requested.issues", recording.change.requested.issues);
  if (others?.size === 0) missing(recording, "requested.issues");
  if (!type || !others) return;
  for (const other of [...others].sort()) recordRelation(recording, "updated", type, other);
};

export const relationDeleted: Recorder = (recording) => {
  const { requested, current } = recording.change;
  const type = relationType(recording);
  const sent = requested.relatedIssue ?? current?.relatedIssue;
  const other = readId(recording, "requested.relatedIssue", sent);
  if (other === null) missing(recording, "requested.relatedIssue");
  if (type && other) recordRelation(recording, "deleted", type, other);
};

function recordRelation(
  recording: Recording,
  verb: "updated" | "deleted",
  type: string,
  other: string,
): void {
  const own = recording.change.issueId ?? "";
  const ends = [
    { issueId: own, field: type, far: other, source: "requested" },
    { issueId: other, field: INVERSE.get(type) ?? type, far: own, source: "issueId" },
  ];
  for (const { issueId, field, far, source } of ends) {
    const shown = nameOf(recording, "issues", far, source);
    addEntry(recording, {
      issueId,
      verb,
      field,
      oldValue: verb === "updated" ? "" : shown,
      newValue: verb === "updated" ? shown : "",
      // As in Plane, the other item is the old identifier in both verbs.
      oldIdentifier: far,
    });
  }
}

function relationType(recording: Recording): string | null | undefined {
  const { requested, current } = recording.change;
  const sent = requested.relationType ?? current?.relationType;
  const type = readName(recording, "requested.relationType", sent);
  if (type === null || type === "") missing(recording, "requested.relationType");
  return type;
}

const missing = (recording: Recording, field: string) =>
  warn(recording, "missing_value", field, "a relation needs it");
