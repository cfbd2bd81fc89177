/** When a schedule is due: its slots in order, and how much later than its slot each of them runs. */
import { createHash } from "node:crypto";
import { type Next, readCron } from "./cron.ts";
import type { ScheduleSpec } from "./spec.ts";

export type Timing = Pick<ScheduleSpec, "cron" | "everySeconds" | "anchorMs" | "timeZone">;

/** No slot lies past it: what the text of an instant holds in a job's id. */
export const LAST_SLOT_MS = Date.UTC(9999, 11, 31, 23, 59, 59);

/** Reading a pattern costs as much as some of its slots. */
const READ = new Map<string, Next>();
const MAX_READ = 2_000;

/**
 * The slots of a schedule.
 * @throws {BadCron}
 */
export function slotsOf(timing: Timing): Next {
  const key = timingKey(timing);
  const read = READ.get(key) ?? readTiming(timing);
  if (READ.size >= MAX_READ) READ.clear();
  READ.set(key, read);
  return read;
}

function readTiming({ cron, everySeconds, anchorMs, timeZone }: Timing): Next {
  const next =
    cron === undefined
      ? every((everySeconds as number) * 1_000, anchorMs)
      : readCron(cron, timeZone);
  return (afterMs) => {
    const slotMs = next(afterMs);
    return slotMs === undefined || slotMs > LAST_SLOT_MS ? undefined : slotMs;
  };
}

/** Anchored: a restart, or a put that changes nothing in it, moves no slot. */
const every =
  (everyMs: number, anchorMs: number): Next =>
  (afterMs) =>
    anchorMs + (Math.floor((afterMs - anchorMs) / everyMs) + 1) * everyMs;

/** The text of a timing, by which a changed one is told from one that only came again. */
export const timingKey = ({ cron, everySeconds, anchorMs, timeZone }: Timing) =>
  JSON.stringify(cron === undefined ? [everySeconds, anchorMs] : [cron, timeZone]);

/** The engine that a schedule's jobs go to. */
export const engineOf = (schedule: string) => schedule.slice(0, schedule.indexOf("."));

/** The id of a slot's job: whoever fires it gives it the same, so that it has one effect. */
export const slotId = (schedule: string, slotMs: number) =>
  `${schedule}:${new Date(slotMs).toISOString()}`;

/** How much later than its slot a job runs, from 0 to `jitterSeconds`: the same on every scheduler. */
export function jitterMs(schedule: string, slotMs: number, jitterSeconds: number): number {
  if (jitterSeconds === 0) return 0;
  const hash = createHash("sha256").update(slotId(schedule, slotMs)).digest();
  return Math.floor((hash.readUInt32BE() / 2 ** 32) * (jitterSeconds * 1_000 + 1));
}

/** The next slots after an instant, at most `count`. */
export function nextSlots(next: Next, afterMs: number, count: number): number[] {
  const slots: number[] = [];
  for (let at = next(afterMs); at !== undefined && slots.length < count; at = next(at))
    slots.push(at);
  return slots;
}
