/** The one row that stands for an item which ended before the retention's horizon, and what a replay begins from. */
import type { StateGroup } from "./schemas.ts";
import type { Moment, Replay, TimelineWarning } from "./timeline.ts";

/** What is kept of an item in place of its changes. Values are those of its end. */
export interface Settled {
  projectId: string;
  itemId: string;
  /** Facts dated up to here are in this: what comes again, or late, changes nothing any more. */
  untilMs: number;
  createdMs: number;
  /** First time in a started state; null if never. */
  startedMs: number | null;
  /** Of the time from `startedMs` to `endedMs`, that in which it was over. */
  overMs: number;
  /** Since when it was in `group` without a break. */
  endedMs: number;
  deletedMs: number | null;
  stateId: string | null;
  group: StateGroup;
  points: string | null;
  /** All that it ever had, and those of them that it left before its end. */
  labels: string[];
  leftLabels: string[];
  cycles: string[];
  leftCycles: string[];
  warnings: TimelineWarning[];
}

/** A row of the table, as a {@link Settled}. */
export const SETTLED_COLUMNS = `project_id "projectId", item_id "itemId", until_ms::float8 "untilMs",
  created_ms::float8 "createdMs", started_ms::float8 "startedMs", over_ms::float8 "overMs", ended_ms::float8 "endedMs",
  deleted_ms::float8 "deletedMs", state_id "stateId", state_group "group", points, coalesce(labels, '{}') labels,
  coalesce(left_labels, '{}') "leftLabels", coalesce(cycles, '{}') cycles,
  coalesce(left_cycles, '{}') "leftCycles", coalesce(warnings, '{}') warnings`;

/** Whether the item was in scope at some time. */
export const wasEverIn = ({ cycles, labels }: Settled, { cycleId, labelId }: Scoped) =>
  (cycleId === undefined || cycles.includes(cycleId)) &&
  (labelId === undefined || labels.includes(labelId));
type Scoped = Pick<Replay, "cycleId" | "labelId">;

const without = (all: readonly string[], left: readonly string[]) =>
  new Set(all.filter((id) => !left.includes(id)));

/** Labels and cycles at the item's end. */
export const setsAtEnd = ({ labels, leftLabels, cycles, leftCycles }: Settled) => ({
  label: without(labels, leftLabels),
  cycle: without(cycles, leftCycles),
});

/**
 * The moments before the item's end, of the only ones that are still known: created, started, and, in one piece after
 * the start, all the time in between in which it was over. So cycle and lead times come out as they were.
 */
export function momentsBefore(
  { createdMs, startedMs, overMs, endedMs }: Settled,
  atEnd: Moment,
): Moment[] {
  const moment = (atMs: number, group: StateGroup): Moment => ({
    ...atEnd,
    ...{ atMs, group, stateId: null },
  });
  const isOpen = createdMs < (startedMs ?? endedMs);
  const moments = isOpen ? [moment(createdMs, "unstarted")] : [];
  if (startedMs === null) return moments;
  moments.push(moment(startedMs, "started"));
  if (overMs > 0)
    moments.push(moment(startedMs, "cancelled"), moment(startedMs + overMs, "started"));
  return moments;
}
