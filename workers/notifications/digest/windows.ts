/** When a person's next digest leaves: the end of their window, after their quiet hours, on their own clock. */
import { offsetAt } from "./zones.ts";

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
const DAY_MS = DAY_MINUTES * MINUTE_MS;

/** How often and when somebody wants mail. */
export interface Rhythm {
  /** IANA name; a name that nobody knows counts as UTC. */
  timeZone: string;
  /** Length of a window in minutes, 1 to 1,440, counted from local midnight, at which the last one ends. */
  windowMinutes: number;
  /** Minutes after local midnight between which nothing is sent, `from` included; `from` may be the later one. */
  quiet: { from: number; to: number } | undefined;
}

/**
 * Epoch milliseconds at which what happens at `atMs` is mailed; always later than `atMs`, and a full minute.
 *
 * A window is what the wall clock shows as one: in the hour that an autumn repeats, short windows come twice and a
 * long one lasts an hour more; in the hour that a spring leaves out there are none. A window that ends in quiet hours
 * waits for their end, and what it waits with is one digest. Quiet hours that are empty or the whole day are none.
 */
export function dueAt(rhythm: Rhythm, atMs: number): number {
  const startMs = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
  const own = windowOf(startMs, rhythm);
  const endMs = firstFrom(startMs, rhythm.timeZone, (localMs) => {
    const local = wallClock(localMs);
    const sameWindow = local.day === own.day && indexIn(local.minute, rhythm) === own.index;
    return sameWindow ? Math.min(own.endMinute, DAY_MINUTES) - local.minute : 0;
  });
  const { quiet } = rhythm;
  if (quiet === undefined || isNever(quiet)) return endMs;
  return firstFrom(endMs, rhythm.timeZone, (localMs) =>
    quietLeft(wallClock(localMs).minute, quiet),
  );
}

/** Local time as days and minutes since the local epoch. */
function wallClock(localMs: number): { day: number; minute: number } {
  const day = Math.floor(localMs / DAY_MS);
  return { day, minute: Math.floor((localMs - day * DAY_MS) / MINUTE_MS) };
}

const indexIn = (minute: number, { windowMinutes }: Rhythm) => Math.floor(minute / windowMinutes);

function windowOf(atMs: number, rhythm: Rhythm) {
  const { day, minute } = wallClock(atMs + offsetAt(rhythm.timeZone, atMs).offsetMs);
  const index = indexIn(minute, rhythm);
  return { day, index, endMinute: (index + 1) * rhythm.windowMinutes };
}

/**
 * The first instant from `atMs` on where `leftMinutes` of the local time is 0, if the clock just ran on; where the
 * zone's offset changes before, it asks again there.
 */
function firstFrom(
  atMs: number,
  timeZone: string,
  leftMinutes: (localMs: number) => number,
): number {
  let nowMs = atMs;
  for (;;) {
    const { offsetMs, untilMs } = offsetAt(timeZone, nowMs);
    const left = leftMinutes(nowMs + offsetMs);
    if (left === 0) return nowMs;
    const thenMs = nowMs + left * MINUTE_MS;
    if (thenMs < untilMs) return thenMs;
    nowMs = untilMs;
  }
}

const isNever = ({ from, to }: { from: number; to: number }) =>
  from === to || (from === 0 && to >= DAY_MINUTES);

/** Minutes until quiet hours end, 0 outside of them. */
function quietLeft(minute: number, { from, to }: { from: number; to: number }): number {
  const isQuiet = from < to ? minute >= from && minute < to : minute >= from || minute < to;
  return isQuiet ? (to - minute + DAY_MINUTES) % DAY_MINUTES || DAY_MINUTES : 0;
}
