/** What becomes of a slot whose schedule's previous run has not ended. */
import type { ScheduleSpec } from "./spec.ts";

/** Of one schedule, as the store has it. */
export interface Runs {
  /** Whether the previous run goes on, as far as its result and the run limit say. */
  isRunning: boolean;
  /** The slot that waits for its end. */
  queuedMs: number | undefined;
}

export type SlotState = "fired" | "queued" | "skipped";

export interface Decided {
  slots: { slotMs: number; state: SlotState }[];
  /** The slot that waits from now on. */
  queuedMs: number | undefined;
}

/** Decides over slots that are to be fired, in their order: the first that runs is what those after it overlap with. */
export function decideOverlap(
  overlap: ScheduleSpec["overlap"],
  { isRunning, queuedMs }: Runs,
  due: readonly number[],
): Decided {
  const slots: Decided["slots"] = [];
  let running = isRunning;
  let queued = queuedMs;
  if (queued !== undefined && (!running || overlap === "allow")) {
    slots.push({ slotMs: queued, state: "fired" });
    queued = undefined;
    running = true;
  }
  for (const slotMs of due) {
    if (overlap === "allow" || !running) {
      slots.push({ slotMs, state: "fired" });
      running = true;
    } else if (overlap === "queue-one" && queued === undefined) {
      slots.push({ slotMs, state: "queued" });
      queued = slotMs;
    } else slots.push({ slotMs, state: "skipped" });
  }
  return { slots, queuedMs: queued };
}
