/** Turns what `ingest` is given into facts with deterministic ids, leaving out bad elements with a warning. */
import { createHash } from "node:crypto";
import { atOnce, type Steps } from "@tl-engine/shared";
import type { z } from "zod";
import {
  CEILINGS,
  FIELDS,
  type Field,
  HistoryChange,
  type IngestInput,
  IngestItem,
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
const valueOrNone = (value: string | number | null | undefined) =>
  value === undefined || value === null || value === "" ? null : String(value);

/** An id for a fact that has none of its own, made of what it says: who says it, and when, does not matter. */
const contentId = (...parts: (string | number | null)[]) =>
  `h:${createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 22)}`;

/** Collects warnings up to their ceiling, and counts them all. */
class Warnings {
  readonly listed: Warning[] = [];
  total = 0;

  add(code: string, path: string, message: string): void {
    this.total++;
    if (this.listed.length < CEILINGS.warningsListed) this.listed.push({ code, path, message });
  }

  addIssue(code: string, path: string, { issues: [issue] }: z.ZodError): void {
    const keys = (issue?.path ?? []).map((key) =>
      typeof key === "number" ? `[${key}]` : `.${String(key)}`,
    );
    this.add(code, path + keys.join(""), issue?.message ?? "invalid");
  }
}

/** All facts of a job, for who keeps nobody waiting. */
export const factsOf = (input: IngestInput): Facts => atOnce(factsIn(input));

/** All facts of a job. A pure function: the same input gives the same facts. */
export function* factsIn(input: IngestInput): Steps<Facts> {
  const warnings = new Warnings();
  for (const { code, path, message } of input.keyWarnings ?? []) warnings.add(code, path, message);
  const groupOf: GroupOf = (stateId) => {
    const known = stateId !== null && Object.hasOwn(input.states, stateId);
    const group = known ? input.states[stateId]?.group : null;
    return isGroup(group) ? group : null;
  };
  const changes: Change[] = [];
  let items = 0;
  for (const [index, element] of input.items.entries()) {
    yield;
    const path = `items[${index}]`;
    const { data: item, error } = IngestItem.safeParse(element);
    if (item) {
      items++;
      for (const fact of factsOfItem(input.projectId, item, path, groupOf, warnings))
        changes.push(fact);
    } else warnings.addIssue("bad_item", path, error);
  }
  const unknown = new Set<string>();
  for (const { field, to, toGroup } of changes)
    if (field === "state" && to !== null && !toGroup) unknown.add(to);
  for (const stateId of unknown)
    warnings.add(
      "state_group_unknown",
      "states",
      `none of Plane's groups is given for state ${JSON.stringify(stateId)}`,
    );
  return {
    changes,
    output: {
      items,
      changes: changes.length,
      warnings: warnings.listed,
      warningsTotal: warnings.total,
    },
  };
}

type GroupOf = (stateId: string | null) => StateGroup | null;

function factsOfItem(
  projectId: string,
  item: IngestItem,
  path: string,
  groupOf: GroupOf,
  warnings: Warnings,
): Change[] {
  const fact = (
    { atMs, field, from, to }: Pick<Change, "atMs" | "field" | "from" | "to">,
    initial: boolean,
    id?: string,
  ): Change => ({
    projectId,
    itemId: item.id,
    // Ids given get a prefix, so that none can pass for a derived one.
    changeId: id ? `a:${id}` : contentId(item.id, initial ? 1 : 0, field, atMs, from, to),
    atMs,
    field,
    from,
    to,
    fromGroup: field === "state" ? groupOf(from) : null,
    toGroup: field === "state" ? groupOf(to) : null,
    initial,
  });
  const history: Change[] = [];
  for (const [index, element] of item.history.entries()) {
    const change = checkedChange(element, `${path}.history[${index}]`, warnings);
    if (change) history.push(fact(change, false, change.id));
  }
  if (item.createdAt === undefined) return history;
  const atMs = Date.parse(item.createdAt);
  const initial = valuesAtCreation(item, history).map(({ field, value }) =>
    fact({ field, atMs, from: null, to: value }, true),
  );
  return [fact({ field: "created", atMs, from: null, to: null }, false), ...initial, ...history];
}

/** A change in the engine's own words; null when it is of no concern, or broken, which is warned about. */
function checkedChange(element: unknown, path: string, warnings: Warnings) {
  const { data, error } = HistoryChange.safeParse(element);
  if (error) {
    warnings.addIssue("bad_change", path, error);
    return null;
  }
  const { id, at, field } = data;
  if (!isField(field)) return null;
  const [from, to] = [valueOrNone(data.from), valueOrNone(data.to)];
  if (field === "state" && to === null) {
    warnings.add("bad_change", `${path}.to`, "a state changes to a state");
    return null;
  }
  if (field === "points" && milliPointsOf(to) === null)
    warnings.add(
      "points_not_a_number",
      `${path}.to`,
      "kept, but weighs nothing: points are numbers from 0 to 1,000,000",
    );
  return { id, atMs: Date.parse(at), field, from, to };
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
    ...single("state", valueOrNone(item.state)),
    ...single("points", valueOrNone(item.points)),
    ...set("label", item.labels),
    ...set("cycle", item.cycle ? [item.cycle, ...item.cycles] : item.cycles),
  ];
}
