/** Replays all items of a scope, each from its changes and from what is settled of it. */

import { STEP_SIZE, type Steps } from "@tl-engine/shared";
import { byTimeThenId, sorted } from "./order.ts";
import type { StateGroup } from "./schemas.ts";
import { type Settled, wasEverIn } from "./settled.ts";
import { type Change, type Replay, replay, type Timeline, wasInScope } from "./timeline.ts";

/**
 * Replays every item that is or was in scope before the end.
 *
 * The group of a state is, in this order: the caller's override; the one recorded with the change;
 * the one recorded with the latest other change from or to the same state.
 */
export function* replayAll(
  changes: readonly Change[],
  options: Omit<Replay, "groupOf"> & { overrides?: Readonly<Record<string, StateGroup>> },
  settled: readonly Settled[] = [],
): Steps<Timeline[]> {
  const { overrides = {} } = options;
  const known = yield* latestGroups(changes);
  const groupOf: Replay["groupOf"] = (stateId, recorded) =>
    (Object.hasOwn(overrides, stateId) ? overrides[stateId] : undefined) ??
    recorded ??
    known.get(stateId)?.group ??
    null;
  const timelines: Timeline[] = [];
  for (const { itemId, changes: ofItem, settled: row } of (yield* byItem(
    changes,
    settled,
  )).values()) {
    yield;
    const timeline = yield* replay(itemId, ofItem, { ...options, groupOf }, row);
    if (timeline && (wasInScope(timeline) || (row && wasEverIn(row, options))))
      timelines.push(timeline);
  }
  return yield* sorted(timelines, (a, b) =>
    a.itemId < b.itemId ? -1 : a.itemId > b.itemId ? 1 : 0,
  );
}

interface Known {
  itemId: string;
  changes: Change[];
  settled?: Settled;
}

function* byItem(
  changes: readonly Change[],
  settled: readonly Settled[],
): Steps<Map<string, Known>> {
  const items = new Map<string, Known>();
  for (const [i, row] of settled.entries()) {
    if (i % STEP_SIZE === STEP_SIZE - 1) yield;
    const { projectId, itemId } = row;
    items.set(`${projectId}\0${itemId}`, { itemId, changes: [], settled: row });
  }
  for (const [i, change] of changes.entries()) {
    if (i % STEP_SIZE === STEP_SIZE - 1) yield;
    const { projectId, itemId } = change;
    const key = `${projectId}\0${itemId}`;
    const ofItem = items.get(key);
    if (ofItem) ofItem.changes.push(change);
    else items.set(key, { itemId, changes: [change] });
  }
  return items;
}

function* latestGroups(changes: readonly Change[]) {
  const known = new Map<string, { group: StateGroup; change: Change }>();
  const learn = (stateId: string | null, group: StateGroup | null, change: Change) => {
    if (stateId === null || group === null) return;
    const before = known.get(stateId);
    if (!before || byTimeThenId(before.change, change) < 0) known.set(stateId, { group, change });
  };
  for (const [i, change] of changes.entries()) {
    if (i % STEP_SIZE === STEP_SIZE - 1) yield;
    learn(change.from, change.fromGroup, change);
    learn(change.to, change.toGroup, change);
  }
  return known;
}
