/** Puts changes and items in order, in steps; and changes of one instant so that each continues the one before. */

import { STEP_SIZE, type Steps } from "@tl-engine/shared";
import type { Change } from "./timeline.ts";

type Compare<Value> = (a: Value, b: Value) => number;

export const byTimeThenId: Compare<Change> = (a, b) =>
  a.atMs - b.atMs || (a.changeId < b.changeId ? -1 : a.changeId > b.changeId ? 1 : 0);

/** A stable sort: of pieces that are merged, because one sort of a whole long list can't be left in between. */
export function* sorted<Value>(values: Value[], compare: Compare<Value>): Steps<Value[]> {
  if (values.length <= STEP_SIZE) return values.sort(compare);
  let runs: Value[][] = [];
  for (let i = 0; i < values.length; i += STEP_SIZE) {
    runs.push(values.slice(i, i + STEP_SIZE).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const longer: Value[][] = [];
    for (let i = 0; i < runs.length; i += 2)
      longer.push(yield* merged(runs[i] as Value[], runs[i + 1] ?? [], compare));
    runs = longer;
  }
  return runs[0] as Value[];
}

function* merged<Value>(a: Value[], b: Value[], compare: Compare<Value>): Steps<Value[]> {
  const all: Value[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const fromA = j >= b.length || (i < a.length && compare(a[i] as Value, b[j] as Value) <= 0);
    all.push((fromA ? a[i++] : b[j++]) as Value);
    if (all.length % STEP_SIZE === 0) yield;
  }
  return all;
}

/** Changes at one instant that are put into a chain; larger heaps are no person's work and stay in order of id. */
const MAX_TIED = 50;

/**
 * Puts changes of one single-valued field in order: by time, and where several happened at one
 * instant (Plane's times are whole seconds) so that each starts from the value that the one before
 * it left, which neither their arrival nor their ids can tell. `start` is the value before all.
 */
export function* inChainOrder(
  changes: Change[],
  start: string | null | undefined,
): Steps<Change[]> {
  const ordered = yield* sorted(changes, byTimeThenId);
  let current = start;
  for (let i = 0; i < ordered.length; ) {
    const { atMs } = ordered[i] as Change;
    let end = i + 1;
    for (; ordered[end]?.atMs === atMs; end++) if (end % STEP_SIZE === 0) yield;
    if (end > i + 1 && end - i <= MAX_TIED) {
      for (const change of chained(ordered.slice(i, end), current)) ordered[i++] = change;
      yield;
    }
    i = end;
    current = (ordered[end - 1] as Change).to;
  }
  return ordered;
}

/** The changes of one instant, each after the one that leads to its beginning where there is one. */
function chained(tied: Change[], start: string | null | undefined): Change[] {
  const chain: Change[] = [];
  const leadingTo = new Map<string | null, number>();
  for (const { to } of tied) leadingTo.set(to, (leadingTo.get(to) ?? 0) + 1);
  let current = start;
  while (tied.length > 0) {
    let next = current === undefined ? -1 : tied.findIndex((change) => change.from === current);
    // Nothing continues the chain: begin at a value that no other of them leads to.
    if (next < 0) next = tied.findIndex(({ from }) => !leadingTo.get(from));
    const [change] = tied.splice(Math.max(next, 0), 1) as [Change];
    leadingTo.set(change.to, (leadingTo.get(change.to) as number) - 1);
    current = change.to;
    chain.push(change);
  }
  return chain;
}
