/** Replays the recorded changes of one work item, in whatever order they came, into its life over time. */

import { STEP_SIZE, type Steps } from "@tl-engine/shared";
import { byTimeThenId, inChainOrder, sorted } from "./order.ts";
import type { Field, StateGroup } from "./schemas.ts";
import { momentsBefore, type Settled, setsAtEnd } from "./settled.ts";

/** One recorded fact about a work item: its creation, a value that it was created with, or a change. */
export interface Change {
  projectId: string;
  itemId: string;
  /** Deterministic: the same fact has the same id however often it comes. */
  changeId: string;
  atMs: number;
  field: Field | "created";
  from: string | null;
  to: string | null;
  /** Group of the state `from` when the change was made; null where unknown and for other fields. */
  fromGroup: StateGroup | null;
  toGroup: StateGroup | null;
  /** The value at creation, not a change. */
  initial: boolean;
}

/** What is so from `atMs` until the next moment. */
export interface Moment {
  atMs: number;
  stateId: string | null;
  group: StateGroup;
  /** Estimate in thousandths of a point, so that sums are exact; 0 when there is none. */
  milliPoints: number;
  /** Whether the item is in the scope that was asked for (in its cycle, carries its label). */
  inScope: boolean;
}

/** An item's life up to the end of what is seen. */
export interface Timeline {
  itemId: string;
  createdMs: number;
  deletedMs: number | null;
  /** In order of time, never empty. Several at one instant are steps made at once: the last one holds. */
  moments: Moment[];
  /** Cycles and labels of the item, and its estimate as it was given, at the end. */
  cycles: string[];
  labels: string[];
  points: string | null;
  warnings: TimelineWarning[];
}

export type TimelineWarning =
  | "points_not_a_number"
  | "state_unknown"
  | "group_unknown"
  | "before_creation";

/** What to look for in a replay. */
export interface Replay {
  /** Facts at or after this instant are not seen. */
  endMs: number;
  cycleId?: string | undefined;
  labelId?: string | undefined;
  /** The group to use for a state, given the one recorded with the change; null when nobody knows. */
  groupOf(stateId: string, recorded: StateGroup | null): StateGroup | null;
}

/** Estimate in thousandths of a point: none is 0, what is no number from 0 to a million is null. */
export function milliPointsOf(value: string | null): number | null {
  if (value === null || value.trim() === "") return 0;
  const points = Number(value);
  return points >= 0 && points <= 1_000_000 ? Math.round(points * 1000) : null;
}

/** The changes of one item, sorted out by what they are of; without those that are settled. */
function sortOut(changes: Iterable<Change>, settled: Settled | undefined) {
  const lists = { state: [] as Change[], points: [] as Change[], sets: [] as Change[] };
  const initial: Change[] = [];
  let createdMs = Number.POSITIVE_INFINITY;
  let deletedMs = Number.POSITIVE_INFINITY;
  let firstMs = Number.POSITIVE_INFINITY;
  for (const change of changes) {
    if (settled && (change.atMs <= settled.untilMs || change.initial)) continue;
    if (change.field === "created") createdMs = Math.min(createdMs, change.atMs);
    else if (change.initial) initial.push(change);
    else {
      firstMs = Math.min(firstMs, change.atMs);
      if (change.field === "deleted") deletedMs = Math.min(deletedMs, change.atMs);
      else if (change.field === "state" || change.field === "points")
        lists[change.field].push(change);
      else lists.sets.push(change);
    }
  }
  const known = Number.isFinite(createdMs);
  initial.sort(byTimeThenId);
  return {
    ...lists,
    initial,
    deletedMs: Math.min(deletedMs, settled?.deletedMs ?? Number.POSITIVE_INFINITY),
    createdMs: settled?.createdMs ?? (known ? createdMs : firstMs),
    early: !settled && known && firstMs < createdMs,
  };
}

/**
 * What the item was before its first change: settled, else recorded at its creation, else what that change took away.
 */
function* beginning(parts: ReturnType<typeof sortOut>, settled: Settled | undefined) {
  const recorded = (field: string) => parts.initial.findLast((fact) => fact.field === field);
  const state = settled ? { to: settled.stateId, toGroup: settled.group } : recorded("state");
  const points = settled ? { to: settled.points } : recorded("points");
  parts.state = yield* inChainOrder(parts.state, state ? state.to : undefined);
  parts.points = yield* inChainOrder(parts.points, points ? points.to : undefined);
  parts.sets = yield* sorted(parts.sets, byTimeThenId);
  const first = parts.state[0];
  const sets = settled
    ? setsAtEnd(settled)
    : { label: new Set<string>(), cycle: new Set<string>() };
  for (const { field, to } of parts.initial)
    if ((field === "label" || field === "cycle") && to) sets[field].add(to);
  const seen = new Set([
    ...(settled?.labels.map((id) => `label ${id}`) ?? []),
    ...(settled?.cycles.map((id) => `cycle ${id}`) ?? []),
  ]);
  for (const [i, { field, from, to }] of parts.sets.entries()) {
    if (i % STEP_SIZE === STEP_SIZE - 1) yield;
    const key = (id: string) => `${field} ${id}`;
    if (from && !seen.has(key(from))) sets[field as "label" | "cycle"].add(from);
    if (from) seen.add(key(from));
    if (to) seen.add(key(to));
  }
  return {
    stateId: state ? state.to : (first?.from ?? null),
    group: state ? state.toGroup : (first?.fromGroup ?? null),
    points: points ? points.to : (parts.points[0]?.from ?? null),
    ...sets,
  };
}

/**
 * Replays one item; null when nothing of it is seen before `endMs`.
 *
 * The same facts give the same timeline in whatever order and however often they are given. An item
 * exists from its creation, or from its earliest change where the creation is not known (yet); what
 * is dated before the creation (clocks differ) counts as done at it. Deletion is final. What is `settled` is where it
 * goes on from.
 */
export function* replay(
  itemId: string,
  changes: Iterable<Change>,
  options: Replay,
  settled?: Settled,
): Steps<Timeline | null> {
  const parts = sortOut(changes, settled);
  const { createdMs, deletedMs } = parts;
  if (!(createdMs < options.endMs)) return null;
  const warnings = new Set<TimelineWarning>(settled?.warnings);
  if (parts.early) warnings.add("before_creation");
  const { label: labels, cycle: cycles, ...start } = yield* beginning(parts, settled);

  const groupOf = (stateId: string | null, recorded: StateGroup | null): StateGroup => {
    const group = stateId === null ? null : options.groupOf(stateId, recorded);
    if (group === null) warnings.add(stateId === null ? "state_unknown" : "group_unknown");
    return group ?? "backlog";
  };
  const pointsOf = (value: string | null) => {
    const milliPoints = milliPointsOf(value);
    if (milliPoints === null) warnings.add("points_not_a_number");
    return milliPoints ?? 0;
  };
  const inScope = (atMs: number) =>
    atMs < deletedMs &&
    (options.cycleId === undefined || cycles.has(options.cycleId)) &&
    (options.labelId === undefined || labels.has(options.labelId));

  const startMs = settled?.endedMs ?? createdMs;
  let now: Moment = {
    atMs: startMs,
    stateId: start.stateId,
    group: groupOf(start.stateId, start.group),
    milliPoints: pointsOf(start.points),
    inScope: inScope(startMs),
  };
  const moments = settled
    ? [...momentsBefore(settled, now), now].filter(({ atMs }) => atMs < options.endMs)
    : [now];
  // Order among fields at one instant does not matter; within a field it is settled above.
  const rest = yield* sorted(
    [...parts.state, ...parts.points, ...parts.sets],
    (a, b) => a.atMs - b.atMs,
  );
  const goneMs = Math.min(options.endMs, deletedMs);
  for (const [i, change] of rest.entries()) {
    if (i % STEP_SIZE === STEP_SIZE - 1) yield;
    const atMs = Math.max(change.atMs, createdMs);
    if (atMs >= goneMs) break;
    const next: Moment = { ...now, atMs };
    if (change.field === "state") {
      next.stateId = change.to;
      next.group = groupOf(change.to, change.toGroup);
    } else if (change.field === "points") next.milliPoints = pointsOf(change.to);
    else {
      const set = change.field === "cycle" ? cycles : labels;
      if (change.from) set.delete(change.from);
      if (change.to) set.add(change.to);
      next.inScope = inScope(atMs);
    }
    if (differs(now, next)) moments.push(next);
    now = moments.at(-1) as Moment;
  }
  if (deletedMs < options.endMs)
    moments.push({ ...now, atMs: Math.max(deletedMs, createdMs), inScope: false });
  return {
    itemId,
    createdMs,
    deletedMs: Number.isFinite(deletedMs) ? deletedMs : null,
    moments,
    cycles: [...cycles].sort(),
    labels: [...labels],
    points: (parts.points.at(-1) ?? { to: start.points }).to,
    warnings: [...warnings],
  };
}

const differs = (a: Moment, b: Moment) =>
  a.stateId !== b.stateId ||
  a.group !== b.group ||
  a.milliPoints !== b.milliPoints ||
  a.inScope !== b.inScope;

/** Whether it was in scope for any time at all; what several changes at one instant pass through does not count. */
export const wasInScope = ({ moments }: Timeline) =>
  moments.some(({ inScope, atMs }, i) => inScope && moments[i + 1]?.atMs !== atMs);
