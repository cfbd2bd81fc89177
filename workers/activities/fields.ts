/** The single-valued fields of an item: one entry each, when old and new differ. */
import type { DataKey } from "./border.ts";
import type { LookupKind } from "./change-set.ts";
import { isSameHtmlOf } from "./html-equality.ts";
import { lookUp, nameOf, readId, readText } from "./read-values.ts";
import { addEntry, type Recorder, type Recording } from "./recording.ts";

/** A field whose value is its own text. Null, missing and "" are one: no value, written as `absent`. */
const plain =
  (key: DataKey, field: string, absent: "" | null): Recorder =>
  (recording) => {
    const values = readBoth(recording, key, readText);
    if (!values || (values.before || null) === (values.after || null)) return;
    addEntry(recording, {
      verb: "updated",
      field,
      oldValue: values.before ?? absent,
      newValue: values.after ?? absent,
    });
  };

export const name = plain("name", "name", null);
export const priority = plain("priority", "priority", null);
export const targetDate = plain("targetDate", "target_date", "");
export const startDate = plain("startDate", "start_date", "");

/** A field that refers to something by id: entries show its name and carry its id. */
const reference =
  (key: DataKey, kind: LookupKind, absent: "" | null, fieldOf: FieldOf): Recorder =>
  (recording) => {
    const ids = readBoth(recording, key, readId);
    if (!ids || ids.before === ids.after) return;
    const show = (id: string | null, side: string) =>
      id === null ? absent : nameOf(recording, kind, id, `${side}.${key}`);
    addEntry(recording, {
      verb: "updated",
      field: fieldOf(recording, ids),
      oldValue: show(ids.before, "current"),
      newValue: show(ids.after, "requested"),
      oldIdentifier: ids.before,
      newIdentifier: ids.after,
    });
  };

interface Both {
  before: string | null;
  after: string | null;
}
type FieldOf = (recording: Recording, ids: Both) => string;

export const parent = reference("parentId", "issues", "", () => "parent");
export const state = reference("stateId", "states", null, () => "state");
/** The field is called after the scale of the new estimate; when it is removed, of the old one. */
export const estimate = reference("estimatePoint", "estimates", null, (recording, ids) => {
  const scaleOf = (id: string | null) =>
    id === null ? undefined : lookUp(recording, "estimates", id)?.type;
  return `estimate_${scaleOf(ids.after) ?? scaleOf(ids.before) ?? "points"}`;
});

/** A second edit by the same actor refreshes the entry of the first, so that typing makes one entry. */
export const description: Recorder = (recording) => {
  const { change, touched } = recording;
  const html = readBoth(recording, "descriptionHtml", readText);
  if (!html || isSameHtmlOf(recording, "descriptionHtml", html)) return;
  const last = change.lastActivity;
  if (last?.field === "description" && last.actorId === change.actorId) {
    const distanceMs = Math.abs(change.epoch - last.epoch) * 1_000;
    if (distanceMs <= (change.coalesceWindowMs ?? Number.POSITIVE_INFINITY)) {
      // The later of both: edits that arrive in another order end with the same time.
      touched.push({ activityId: last.id, epoch: Math.max(last.epoch, change.epoch) });
      return;
    }
  }
  addEntry(recording, {
    verb: "updated",
    field: "description",
    oldValue: html.before,
    newValue: html.after,
  });
};

export const archivedAt: Recorder = (recording) => {
  const times = readBoth(recording, "archivedAt", readText);
  if (!times || (times.before || null) === (times.after || null)) return;
  const archive = recording.change.requested.automation ? "archive" : "manual_archive";
  addEntry(recording, {
    verb: "updated",
    field: "archived_at",
    oldValue: times.after ? null : "archive",
    newValue: times.after ? archive : "restore",
  });
};

/** Closing by automation: a new state of which the old one is not told. */
export const closedTo: Recorder = (recording) => {
  const id = readId(recording, "requested.closedTo", recording.change.requested.closedTo);
  if (!id) return;
  addEntry(recording, {
    verb: "updated",
    field: "state",
    newValue: nameOf(recording, "states", id, "requested.closedTo"),
    newIdentifier: id,
  });
};

/** Old and new value of a key; undefined, after a warning, when one of them can't be read. */
function readBoth(recording: Recording, key: DataKey, read: typeof readText): Both | undefined {
  const { requested, current } = recording.change;
  const after = read(recording, `requested.${key}`, requested[key]);
  const before = read(recording, `current.${key}`, current?.[key]);
  return after === undefined || before === undefined ? undefined : { before, after };
}
