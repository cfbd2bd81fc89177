/** What is known of an item: of each field the latest value and its time, so that facts may come twice, late and in any order. */
import { kindOf } from "./rules/fields.ts";
import type { Item, Value } from "./rules/item.ts";
import { CEILINGS } from "./schemas/vocabulary.ts";

/** A value, and when it became so, in epoch milliseconds. */
type Dated<Kept> = [value: Kept, atMs: number];

export interface ItemFacts {
  /** Whole values, by field. */
  fields: Record<string, Dated<Value>>;
  /** Of sets, by field: ids that came (true) or went since. */
  members: Record<string, Record<string, Dated<boolean>>>;
  /** 0 is not deleted. Older facts are none. */
  deletedAtMs: number;
}

export function noFacts(): ItemFacts {
  return { fields: record(), members: record(), deletedAtMs: 0 };
}

/** Without a prototype, of which a field could have the name. */
const record = <Kept>(): Record<string, Kept> => Object.create(null);

export function readFacts(text: string, deletedAtMs: number): ItemFacts {
  const { fields = {}, members = {} } = JSON.parse(text) as Partial<ItemFacts>;
  const facts = noFacts();
  facts.deletedAtMs = deletedAtMs;
  Object.assign(facts.fields, fields);
  for (const [field, ids] of Object.entries(members))
    facts.members[field] = Object.assign(record<Dated<boolean>>(), ids);
  return facts;
}

export const writeFacts = ({ fields, members }: ItemFacts) => JSON.stringify({ fields, members });

/** Of two values of one time the greater as JSON counts: any choice will do that is the same in any order. */
function isNewer<Kept>([value, atMs]: Dated<Kept>, kept: Dated<Kept> | undefined): boolean {
  if (kept === undefined || atMs > kept[1]) return true;
  return atMs === kept[1] && JSON.stringify(value) > JSON.stringify(kept[0]);
}

/** The field was this value at that time. */
export function learnValue(facts: ItemFacts, field: string, value: Value, atMs: number): void {
  if (atMs <= facts.deletedAtMs) return;
  const told: Dated<Value> = [kept(value), atMs];
  if (!isNewer(told, facts.fields[field])) return;
  facts.fields[field] = told;
  forgetMembers(facts, field, atMs);
}

const kept = (value: Value): Value =>
  typeof value === "string" ? value.slice(0, CEILINGS.keptTextLength) : value;

/** What a whole set says at its time overrules what single ids said before, or then. */
function forgetMembers({ members }: ItemFacts, field: string, atMs: number): void {
  const ids = members[field];
  if (ids === undefined) return;
  for (const [id, [, at]] of Object.entries(ids)) if (at <= atMs) delete ids[id];
  if (Object.keys(ids).length === 0) delete members[field];
}

/** The id came into the set of the field, or went. */
export function learnMember(
  facts: ItemFacts,
  field: string,
  id: string,
  isIn: boolean,
  atMs: number,
): void {
  const whole = facts.fields[field];
  if (atMs <= facts.deletedAtMs || (whole !== undefined && atMs <= whole[1])) return;
  let ids = facts.members[field];
  if (ids === undefined) {
    ids = record();
    facts.members[field] = ids;
  }
  if (!isNewer([isIn, atMs], ids[id])) return;
  ids[id] = [isIn, atMs];
  if (Object.keys(ids).length > CEILINGS.idsPerField) forgetOldest(ids);
}

/** So that no item grows without end. */
function forgetOldest(ids: Record<string, Dated<boolean>>): void {
  const [oldest] = Object.entries(ids).reduce((least, entry) =>
    entry[1][1] < least[1][1] || (entry[1][1] === least[1][1] && entry[0] < least[0])
      ? entry
      : least,
  );
  delete ids[oldest];
}

/** Nothing older is known of it any more. */
export function learnDeletion(facts: ItemFacts, atMs: number): void {
  if (atMs <= facts.deletedAtMs) return;
  facts.deletedAtMs = atMs;
  for (const [field, [, at]] of Object.entries(facts.fields))
    if (at <= atMs) delete facts.fields[field];
  for (const field of Object.keys(facts.members)) forgetMembers(facts, field, atMs);
}

/** The item as it is known to be, with what is sure of it in any case. */
export function itemOf(facts: ItemFacts, projectId: string): Item {
  const item = new Map<string, Value>([["project", projectId]]);
  let latestMs = 0;
  for (const [field, [value, atMs]] of Object.entries(facts.fields)) {
    item.set(field, value);
    latestMs = Math.max(latestMs, atMs);
  }
  for (const [field, members] of Object.entries(facts.members)) {
    const ids = new Set(setOf(item.get(field)));
    for (const [id, [isIn, atMs]] of Object.entries(members)) {
      latestMs = Math.max(latestMs, atMs);
      if (isIn) ids.add(id);
      else ids.delete(id);
    }
    item.set(field, [...ids].sort());
  }
  if (latestMs > 0 && !item.has("updatedAt"))
    item.set("updatedAt", new Date(latestMs).toISOString());
  return item;
}

const setOf = (value: Value | undefined) => (Array.isArray(value) ? value : []);

export const isSet = (field: string) => kindOf(field) === "ids";
