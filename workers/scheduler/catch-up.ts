/** Which of the slots that came due are run, and which were missed while nobody was there to run them. */
import type { Next } from "./cron.ts";
import type { ScheduleSpec } from "./spec.ts";

/** A slot that is fired this much after its time was not missed: a restart takes no longer. */
export const ON_TIME_MS = 60_000;

/** Slots looked at in one go: a pattern's take some 60 µs each, and nothing else goes on meanwhile. */
export const SLOTS_AT_ONCE = 500;

export interface Due {
  /** In order. */
  fire: number[];
  /** Those that nobody runs any more: how many, the first, and the last. */
  missed: { count: number; firstMs: number; lastMs: number } | undefined;
  /** The first slot that was not looked at; undefined when the schedule has no more. */
  nextMs: number | undefined;
}

interface Schedule {
  next: Next;
  /** Whether its slots are a sum apart. */
  isInterval: boolean;
  catchUp: ScheduleSpec["catchUp"];
}

/**
 * @param fromMs the first slot that was not looked at yet.
 * @returns what to do with the slots up to `nowMs`, or with the first {@link SLOTS_AT_ONCE} of them: then `nextMs` lies
 *   in the past, and there is more to do.
 */
export function dueSlots(schedule: Schedule, fromMs: number, nowMs: number): Due {
  const { next, isInterval, catchUp } = schedule;
  const windowMs = catchUp.policy === "skip" ? 0 : catchUp.windowSeconds * 1_000;
  const heldMs = nowMs - Math.max(ON_TIME_MS, windowMs);
  if (fromMs < heldMs)
    return isInterval ? passOver(next, fromMs, heldMs) : missOld(next, fromMs, heldMs);
  const { slots, nextMs } = slotsUpTo(next, fromMs, nowMs + 1, SLOTS_AT_ONCE);
  if (catchUp.policy !== "once") return { fire: slots, missed: undefined, nextMs };
  const isAll = nextMs === undefined || nextMs > nowMs;
  // The last one seen may be the one that is run: the next go decides it.
  if (!isAll) return { fire: [], missed: allOf(slots.slice(0, -1)), nextMs: slots.at(-1) };
  const onTime = slots.filter((slotMs) => slotMs >= nowMs - ON_TIME_MS);
  const fire = onTime.length > 0 ? onTime : slots.slice(-1);
  return { fire, missed: allOf(slots.slice(0, slots.length - fire.length)), nextMs };
}

function missOld(next: Next, fromMs: number, heldMs: number): Due {
  const { slots, nextMs } = slotsUpTo(next, fromMs, heldMs, SLOTS_AT_ONCE);
  return { fire: [], missed: allOf(slots), nextMs };
}

/** A year of seconds is a sum, not a loop. */
function passOver(next: Next, fromMs: number, heldMs: number): Due {
  const everyMs = (next(fromMs) ?? heldMs) - fromMs;
  const count = Math.ceil((heldMs - fromMs) / everyMs);
  const lastMs = fromMs + (count - 1) * everyMs;
  return { fire: [], missed: { count, firstMs: fromMs, lastMs }, nextMs: next(lastMs) };
}

function slotsUpTo(next: Next, fromMs: number, beforeMs: number, limit: number) {
  const slots: number[] = [];
  let at: number | undefined = fromMs;
  while (at !== undefined && at < beforeMs && slots.length < limit) {
    slots.push(at);
    at = next(at);
  }
  return { slots, nextMs: at };
}

function allOf(slots: readonly number[]): Due["missed"] {
  const [firstMs] = slots;
  if (firstMs === undefined) return undefined;
  return { count: slots.length, firstMs, lastMs: slots.at(-1) as number };
}
