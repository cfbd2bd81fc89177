/** Turns what `ingest` is given into facts with deterministic ids, leaving out bad elements with a warning. */
import { createHash } from "node:crypto";
import type { z } from "zod";
import {
  CEILINGS,
  FIELDS,
  type Field,
  HistoryChange,
  IngestItem,
  type IngestInput,
  type IngestOutput,
  STATE_GROUPS,
  type StateGroup,
} from "./schemas.ts";
import { type Change, milliPointsOf } from "./timeline.ts";

type Warning = IngestOutput["warnings"][number];

/** The facts of one job, and how its output is to read. */
export interface Facts {
  changes: Change[];
  output: IngestOutput;
}

const isGroup = (group: unknown): group is StateGroup => STATE_GROUPS.includes(group as StateGroup);
const isField = (field: string): field is Field => FIELDS.includes(field as Field);

/** "" and absent are none; points may be numbers. */
const valueOf = (value: string | number | null | undefined) =>
  value === undefined || value === null || value === "" ? null : String(value);

/** An id for a fact that has none of its own, made of what it says: who says it, and when, does not matter. */
const contentId = (...parts: (string | number | null)[]) =>
  `h:${createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 22)}`;

/** All facts of a job. A pure function: the same input gives the same facts. */
export function factsOf(input: IngestInput): Facts {
  const warnings: Warning[] = [];
  let warningsTotal = 0;
  const warn = (code: string, path: string, message: string) => {
    warningsTotal++;
    if (warnings.length < CEILINGS.warningsListed) warnings.push({ code, path, message });
  };
  const groupOf = (stateId: string | null) => {
    const group = stateId !== null && Object.hasOwn(input.states, stateId) ? input.states[stateId]?.group : null;
    return isGroup(group) ? group : null;
  };
  const changes: Change[] = [];
  let items = 0;
  const unknownGroups = new Set<string>();
  input.items.forEach((element, index) => {
    const path = `items[${index}]`;
    const parsed = IngestItem.safeParse(element);
    if (!parsed.success) return warn("bad_item", `${path}${where(parsed.error)}`, firstMessage(parsed.error));
    items++;
    const before = changes.length;
    changes.push(...factsOfItem(input.projectId, parsed.data, path, groupOf, warn));
    for (const { field, to, toGroup } of changes.slice(before))
      if (field === "state" && to !== null && toGroup === null) unknownGroups.add(to);
  });
  for (const stateId of unknownGroups)
    warn("state_group_unknown", "states", `no group of Plane's is given for state ${JSON.stringify(stateId)}`);
  return { changes, output: { items, changes: changes.length, warnings, warningsTotal } };
}

function factsOfItem(
  projectId: string,
  item: IngestItem,
  path: string,
  groupOf: (stateId: string | null) => StateGroup | null,
  warn: (code: string, path: string, message: string) => void,
): Change[] {
  const history: Change[] = [];
  const fact = (field: Change["field"], atMs: number, from: string | null, to: string | null, initial: boolean, id?: string): Change => ({
    projectId,
    itemId: item.id,
    changeId: id ?? contentId(item.id, initial ? "initial" : "change", field, atMs, from, to),
    atMs,
    field,
    from,
    to,
    fromGroup: field === "state" ? groupOf(from) : null,
    toGroup: field === "state" ? groupOf(to) : null,
    initial,
  });
  item.history.forEach((element, index) => {
    const at = `${path}.history[${index}]`;
    const parsed = HistoryChange.safeParse(element);
    if (!parsed.success) return warn("bad_change", `${at}${where(parsed.error)}`, firstMessage(parsed.error));
    const { id, field } = parsed.data;
    if (!isField(field)) return;
    const from = valueOf(parsed.data.from);
    const to = valueOf(parsed.data.to);
    if (field === "state" && to === null) return warn("bad_change", `${at}.to`, "a state changes to a state");
    if (field === "points" && milliPointsOf(to) === null)
      warn("points_not_a_number", `${at}.to`, "kept, but weighs nothing: points are numbers from 0 to 1,000,000");
    // Own ids get a prefix, so that none can pass for a derived one.
    history.push(fact(field, Date.parse(parsed.data.at), from, to, false, id && `a:${id}`));
  });
  if (item.createdAt === undefined) return history;
  const createdMs = Date.parse(item.createdAt);
  const initial = valuesAtCreation(item, history).map(({ field, value }) => fact(field, createdMs, null, value, true));
  return [fact("created", createdMs, null, null, false), ...initial, ...history];
}

/** Undoes the history from the item's values as they are now. */
function valuesAtCreation(item: IngestItem, history: Change[]): { field: Field; value: string }[] {
  const backwards = [...history].sort((a, b) => b.atMs - a.atMs);
  const single = (field: Field, value: string | null) => {
    const first = backwards.findLast((change) => change.field === field);
    // The history's own `from` is found by the replay; recording it here too could only disagree.
    return first || value === null ? [] : [{ field, value }];
  };
  const set = (field: Field, now: Iterable<string>) => {
    const ids = new Set(now);
    for (const change of backwards) {
      if (change.field !== field) continue;
      if (change.to !== null) ids.delete(change.to);
      if (change.from !== null) ids.add(change.from);
    }
    return [...ids].sort().map((value) => ({ field, value }));
  };
  return [
    ...single("state", valueOf(item.state)),
    ...single("points", valueOf(item.points)),
    ...set("label", item.labels),
    ...set("cycle", item.cycle ? [item.cycle, ...item.cycles] : item.cycles),
  ];
}

const where = ({ issues }: z.ZodError) =>
  (issues[0]?.path ?? []).map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
const firstMessage = ({ issues }: z.ZodError) => issues[0]?.message ?? "invalid";
