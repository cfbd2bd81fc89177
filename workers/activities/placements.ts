/** Records in which Plane says what was put where: one for each item. */
import { type Data, type DataKey, isObject } from "./border.ts";
import type { LookupKind } from "./change-set.ts";
import { kindOf, nameOf, readId, readList } from "./read-values.ts";
import { addEntry, type Recording, warn } from "./recording.ts";

type RecordsKey = "updatedCycleIssues" | "createdCycleIssues" | "createdModuleIssues";

/** Each with the path that warnings name. */
export function recordsOf(recording: Recording, key: RecordsKey): [string, Data][] {
  const { current, requested } = recording.change;
  const sent = current?.[key] ?? requested[key];
  const records: [string, Data][] = [];
  readList(recording, `current.${key}`, sent)?.forEach((record, index) => {
    const field = `current.${key}[${index}]`;
    // Django's serializer nests them.
    if (isObject(record)) records.push([field, isObject(record.fields) ? record.fields : record]);
    else warn(recording, "invalid_value", field, `expected an object, got ${kindOf(record)}`);
  });
  return records;
}

export function recordIssue(
  recording: Recording,
  field: string,
  record: Data,
): string | null | undefined {
  const id = readId(recording, `${field}.issueId`, record.issueId);
  if (id === null) warn(recording, "missing_issue", `${field}.issueId`, "the record has no item");
  return id;
}

export interface Place {
  /** What the record calls it: `cycle`, `module`. */
  noun: string;
  idKey: DataKey;
  /** Of the entry, and of the names. */
  kind: LookupKind;
}

/** Items that were in none. */
export function recordPlaced(
  recording: Recording,
  key: RecordsKey,
  { noun, idKey, kind }: Place,
): void {
  for (const [field, record] of recordsOf(recording, key)) {
    const issueId = recordIssue(recording, field, record);
    const id = readId(recording, `${field}.${idKey}`, record[idKey]);
    if (id === null)
      warn(recording, "missing_value", `${field}.${idKey}`, `the record has no ${noun}`);
    if (!issueId || !id) continue;
    addEntry(recording, {
      issueId,
      verb: "created",
      field: kind,
      oldValue: "",
      newValue: nameOf(recording, kind, id, `${field}.${idKey}`),
      newIdentifier: id,
    });
  }
}
