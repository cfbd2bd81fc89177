/** The clock of an item under a policy: begins, stands, goes on and ends by its states, and goes in working time alone. */
import { ALWAYS, compileCalendar, type WorkingTime } from "../calendar/compile.ts";
import { BUSINESS_DAYS, BusinessCalendar } from "../calendar/schema.ts";
import type { CLOCK_STATES, Priority, SlaPolicy } from "./schemas.ts";

/** Epoch milliseconds throughout. */
export interface StateChange {
  atMs: number;
  state: string;
}

export interface ItemHistory {
  createdMs: number;
  priority: Priority;
  /** In any order; repeats do no harm. Of two at one instant the greater state counts as the later. */
  changes: readonly StateChange[];
}

export interface CompiledPolicy {
  policy: SlaPolicy;
  start: ReadonlySet<string>;
  pause: ReadonlySet<string>;
  stop: ReadonlySet<string>;
  time: WorkingTime;
  /** Longest first. */
  warnMs: readonly number[];
}

export interface Standing {
  clock: (typeof CLOCK_STATES)[number];
  targetMs: number | undefined;
  usedMs: number;
  dueMs: number | undefined;
  remainingMs: number | undefined;
  breachedMs: number | undefined;
  nextCheckMs: number | undefined;
}

/** Linear's. */
const DEFAULT_TARGETS_S: Partial<Record<Priority, number>> = { urgent: 86_400, high: 7 * 86_400 };

export function compilePolicy(policy: SlaPolicy): CompiledPolicy {
  return {
    policy,
    start: new Set(policy.startStates),
    pause: new Set(policy.pauseStates),
    stop: new Set(policy.stopStates),
    time: timeOf(policy.calendar),
    warnMs: [...new Set(policy.warnBeforeSeconds)].sort((a, b) => b - a).map((s) => s * 1_000),
  };
}

/** A calendar is compiled once for all policies that have it. */
const compiled = new Map<string, WorkingTime>();
const MAX_COMPILED = 200;
/** Of all that are kept, some 30 MB. They grow as far as they are asked about. */
const MAX_INTERVALS = 1_000_000;

function timeOf(calendar: SlaPolicy["calendar"]): WorkingTime {
  if (calendar === "always") return ALWAYS;
  const key = JSON.stringify(calendar);
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const time = compileCalendar(
    calendar === "business_days" ? BusinessCalendar.parse(BUSINESS_DAYS) : calendar,
  );
  const intervals = compiled.values().reduce((sum, kept) => sum + kept.intervals, 0);
  if (compiled.size >= MAX_COMPILED || intervals >= MAX_INTERVALS) compiled.clear();
  compiled.set(key, time);
  return time;
}

export function targetMsOf({ policy }: CompiledPolicy, priority: Priority): number | undefined {
  const { targetSeconds, targets } = policy;
  const seconds =
    targetSeconds ??
    (targets == null ? DEFAULT_TARGETS_S : { ...DEFAULT_TARGETS_S, ...targets })[priority];
  return seconds == null ? undefined : seconds * 1_000;
}

export function standingOf(compiled: CompiledPolicy, item: ItemHistory, nowMs: number): Standing {
  const targetMs = targetMsOf(compiled, item.priority);
  if (targetMs === undefined) return nothingPromised();
  const { time } = compiled;
  let clock: Standing["clock"] = "not_started";
  let usedMs = 0;
  let dueMs: number | undefined;
  let breachedMs: number | undefined;
  for (const { clock: next, fromMs, toMs } of stretches(compiled, item, nowMs)) {
    clock = next;
    // What it was stands while it is stopped; a clock that stands has none.
    if (clock !== "stopped") dueMs = undefined;
    if (clock !== "running") continue;
    const leftMs = targetMs - usedMs;
    dueMs = leftMs >= 0 ? time.after(fromMs, leftMs) : breachedMs;
    usedMs += time.between(fromMs, toMs ?? nowMs);
    // A change at the deadline itself is in time; still running at it is not.
    if (dueMs !== undefined && (toMs === undefined ? dueMs <= nowMs : dueMs < toMs))
      breachedMs ??= dueMs;
  }
  const remainingMs = targetMs - usedMs;
  const nextCheckMs =
    clock === "running" ? nextCheck(compiled, dueMs, remainingMs, nowMs) : undefined;
  return { clock, targetMs, usedMs, dueMs, remainingMs, breachedMs, nextCheckMs };
}

const nothingPromised = (): Standing => ({
  clock: "no_target",
  targetMs: undefined,
  usedMs: 0,
  dueMs: undefined,
  remainingMs: undefined,
  breachedMs: undefined,
  nextCheckMs: undefined,
});

interface Stretch {
  clock: Standing["clock"];
  fromMs: number;
  /** Undefined for the last one, which goes on. */
  toMs: number | undefined;
}

/** The item's time until now, by what its clock did. */
function stretches(
  { start, pause, stop }: CompiledPolicy,
  { createdMs, changes }: ItemHistory,
  nowMs: number,
): Stretch[] {
  const sorted = changes
    .filter(({ atMs }) => atMs <= nowMs)
    .toSorted((a, b) => a.atMs - b.atMs || (a.state < b.state ? -1 : 1));
  let hasStarted = start.size === 0;
  const clockIn = (state: string | undefined): Standing["clock"] => {
    if (state !== undefined && start.has(state)) hasStarted = true;
    if (!hasStarted) return "not_started";
    if (state !== undefined && stop.has(state)) return "stopped";
    return state !== undefined && pause.has(state) ? "paused" : "running";
  };
  const found: Stretch[] = [];
  const begin = Math.min(createdMs, sorted[0]?.atMs ?? createdMs);
  if (begin > nowMs) return [];
  if (sorted[0] === undefined || sorted[0].atMs > begin)
    found.push({ clock: clockIn(undefined), fromMs: begin, toMs: undefined });
  for (const { atMs, state } of sorted) {
    const last = found.at(-1);
    const clock = clockIn(state);
    if (last?.clock === clock) continue;
    if (last !== undefined) last.toMs = atMs;
    found.push({ clock, fromMs: atMs, toMs: undefined });
  }
  return found.filter(({ fromMs, toMs }) => toMs === undefined || toMs > fromMs);
}

/** The earliest warning that is still to come, or the deadline. */
function nextCheck(
  { time, warnMs }: CompiledPolicy,
  dueMs: number | undefined,
  remainingMs: number,
  nowMs: number,
): number | undefined {
  if (dueMs === undefined || dueMs <= nowMs) return undefined;
  for (const beforeMs of warnMs)
    if (beforeMs < remainingMs) return time.after(nowMs, remainingMs - beforeMs);
  return dueMs;
}
