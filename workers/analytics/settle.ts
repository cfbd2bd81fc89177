/** Makes of an item's changes the one row that is kept when they are older than the retention. */

import type { Steps } from "@tl-engine/shared";
import { isOver, sinceMs, startedMs, workingMs } from "./finished.ts";
import type { Settled } from "./settled.ts";
import { type Change, type Replay, replay, wasInScope } from "./timeline.ts";

/**
 * `changes` are all of one item, at least one. Undefined for an item that did not end (neither completed nor cancelled nor deleted), or of which a state's group is
 * not recorded, so that what it was depends on others' changes: those keep their history. A pure function: the same
 * facts give the same row. `before` is the row of an item that went on after it.
 */
export function* settle(changes: readonly Change[], before?: Settled): Steps<Settled | undefined> {
  const { projectId, itemId } = changes[0] as Change;
  const options = {
    endMs: Number.POSITIVE_INFINITY,
    groupOf: (_: string, recorded: Change["toGroup"]) => recorded,
  };
  const life = yield* replay(itemId, changes, options, before);
  const last = life?.moments.at(-1);
  if (!life || !last || life.warnings.includes("group_unknown")) return undefined;
  const isDeleted = life.deletedMs !== null;
  if (!isOver(last.group) && !isDeleted) return undefined;
  const endedMs = sinceMs(life.moments, ({ group }) => group === last.group);
  const started = startedMs(life.moments);
  const labels = yield* everHad("label", changes, options, before);
  const cycles = yield* everHad("cycle", changes, options, before);
  return {
    projectId,
    itemId,
    untilMs: changes.reduce((most, { atMs }) => Math.max(most, atMs), before?.untilMs ?? 0),
    createdMs: life.createdMs,
    startedMs: started,
    overMs: started === null ? 0 : endedMs - started - workingMs(life.moments, started, endedMs),
    endedMs,
    deletedMs: life.deletedMs,
    stateId: last.stateId,
    group: last.group,
    points: life.points,
    labels,
    leftLabels: labels.filter((id) => !life.labels.includes(id)),
    cycles,
    leftCycles: cycles.filter((id) => !life.cycles.includes(id)),
    warnings: life.warnings,
  };
}

/** The labels or cycles that the item had for any time at all. */
function* everHad(
  field: "label" | "cycle",
  changes: readonly Change[],
  options: Replay,
  before: Settled | undefined,
): Steps<string[]> {
  const ids = new Set(before?.[`${field}s`]);
  const named = changes.filter((change) => change.field === field);
  for (const id of new Set(named.flatMap(({ from, to }) => [from, to]))) {
    if (id === null || ids.has(id)) continue;
    const { itemId } = named[0] as Change;
    const life = yield* replay(itemId, changes, { ...options, [`${field}Id`]: id }, before);
    if (life && wasInScope(life)) ids.add(id);
  }
  return [...ids].sort();
}
