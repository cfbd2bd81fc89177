/** Puts what happened in the order in which a digest tells it: item by item, person by person, field by field. */
import type { MailEntry } from "./entry.ts";

/** What one person did to one field of one item within the window. */
export interface FieldChange {
  /** Without the scale that an estimate's name carries; `issue` for the item itself. */
  field: string;
  /** The last one. */
  verb: string;
  /** A single value: what it was first and is last. */
  from: string | null;
  to: string | null;
  /** Of what has many values: what came and what went, in effect. */
  added: string[];
  removed: string[];
  /** Entries that it sums up. */
  count: number;
}

export interface ActorGroup {
  actorId: string;
  actorName: string | null;
  /** The last entry, epoch milliseconds. */
  atMs: number;
  changes: FieldChange[];
}

export interface ItemGroup {
  workspaceId: string;
  projectId: string;
  issueId: string;
  key: string | null;
  name: string | null;
  /** The strongest of them. */
  reason: string;
  /** Date that a reminder is about, as `2026-05-05`. */
  dueDate: string | null;
  actors: ActorGroup[];
}

/** The strongest first: in a long digest it decides which items are shown. */
const REASONS = ["mentioned", "due", "assigned", "created", "subscribed"];
const rank = (reason: string) => {
  const index = REASONS.indexOf(reason);
  return index === -1 ? REASONS.length : index;
};

/** Fields that have one value at a time. All others gather what came and what went. */
const SINGLE = new Set([
  ...["state", "priority", "name", "target_date", "start_date", "parent", "estimate"],
  ...["description", "archived_at", "intake", "issue", "draft", "type"],
]);
export const isSingle = (field: string) => SINGLE.has(field);

export function groupEntries(entries: readonly MailEntry[]): ItemGroup[] {
  const ordered = entries.toSorted((a, b) => a.at - b.at || compare(a.activityId, b.activityId));
  const items = [...Map.groupBy(ordered, ({ issueId }) => issueId).values()].map(itemOf);
  return items.sort((a, b) => rank(a.reason) - rank(b.reason));
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function itemOf(entries: MailEntry[]): ItemGroup {
  const [first] = entries as [MailEntry];
  const last = <Key extends keyof MailEntry>(key: Key) =>
    entries.findLast((entry) => entry[key] != null && entry[key] !== "")?.[key] ?? null;
  const changes = entries.filter(({ reason }) => reason !== "due");
  const byActor = Map.groupBy(changes, ({ actorId }) => actorId).values();
  return {
    workspaceId: first.workspaceId,
    projectId: first.projectId,
    issueId: first.issueId,
    key: last("issueKey"),
    name: last("issueName"),
    reason: entries.map(({ reason }) => reason).reduce((a, b) => (rank(b) < rank(a) ? b : a)),
    // However often it was asked for: one reminder in one digest.
    dueDate: entries.findLast(({ reason }) => reason === "due")?.newValue ?? null,
    actors: [...byActor].map(actorOf),
  };
}

function actorOf(entries: MailEntry[]): ActorGroup {
  const byField = Map.groupBy(entries, fieldOf);
  return {
    actorId: (entries[0] as MailEntry).actorId,
    actorName: entries.findLast(({ actorName }) => actorName)?.actorName ?? null,
    atMs: (entries.at(-1) as MailEntry).at,
    changes: [...byField].map(([field, same]) => changeOf(field, same)),
  };
}

/** A mention stands for itself, whatever field it was made in. */
function fieldOf({ reason, field }: MailEntry): string {
  if (reason === "mentioned") return "mention";
  if (field === null || field === "") return "issue";
  return field.startsWith("estimate_") ? "estimate" : field;
}

function changeOf(field: string, entries: MailEntry[]): FieldChange {
  const first = entries[0] as MailEntry;
  const last = entries.at(-1) as MailEntry;
  const isList = !isSingle(field);
  return {
    field,
    verb: last.verb,
    from: isList ? null : first.oldValue,
    to: isList ? null : last.newValue,
    ...(isList ? netOf(entries) : { added: [], removed: [] }),
    count: entries.length,
  };
}

/** What was put in and taken out again is no news. */
function netOf(entries: MailEntry[]): { added: string[]; removed: string[] } {
  const net = new Map<string, number>();
  const add = (value: string | null, by: number) => {
    if (value) net.set(value, (net.get(value) ?? 0) + by);
  };
  for (const { oldValue, newValue } of entries) {
    add(oldValue, -1);
    add(newValue, 1);
  }
  const values = [...net];
  return {
    added: values.filter(([, by]) => by > 0).map(([value]) => value),
    removed: values.filter(([, by]) => by < 0).map(([value]) => value),
  };
}
