/** What happened, as triggers and conditions see it. */

import { fieldNamed, kindOf } from "./fields.ts";
import { readValue, type Scalar, type Value } from "./item.ts";

export interface Change {
  /** By its own name. */
  field: string;
  from: Scalar | null;
  to: Scalar | null;
}

export interface Event {
  type: string;
  /** Who did it; null is not known. */
  actor: string | null;
  comment: string | null;
  /** How many rules led to it: 0 is a person's doing. */
  depth: number;
  /** Those rules, the first one first, as far as they are known. */
  path: readonly string[];
  changes: ReadonlyMap<string, readonly Change[]>;
}

/** The changes by field. Of a set each id that came or went is one; what changes nothing is none. */
export function changesByField(
  sent: Iterable<{ field: string; from?: unknown; to?: unknown }>,
): Map<string, Change[]> {
  const changes = new Map<string, Change[]>();
  for (const { field: name, from, to } of sent) {
    const field = fieldNamed(name);
    if (field === undefined) continue;
    const before = readValue(field, from ?? null) ?? null;
    const after = readValue(field, to ?? null) ?? null;
    for (const change of differences(field, before, after)) {
      const others = changes.get(field);
      if (others) others.push(change);
      else changes.set(field, [change]);
    }
  }
  return changes;
}

function differences(field: string, before: Value, after: Value): Change[] {
  if (kindOf(field) !== "ids" && !Array.isArray(before) && !Array.isArray(after))
    return before === after
      ? []
      : [{ field, from: before as Scalar | null, to: after as Scalar | null }];
  const old = new Set(idsOf(before));
  const now = new Set(idsOf(after));
  return [
    ...[...old].filter((id) => !now.has(id)).map((id) => ({ field, from: id, to: null })),
    ...[...now].filter((id) => !old.has(id)).map((id) => ({ field, from: null, to: id })),
  ];
}

const idsOf = (value: Value): readonly Scalar[] =>
  value === null ? [] : Array.isArray(value) ? value : [value as Scalar];
