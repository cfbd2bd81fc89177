/** A time zone's offset and how long it holds, kept between calls: a zoned computation costs 30 µs. */
import { Temporal } from "temporal-polyfill";

/** No offset is believed longer: what comes after is asked for when it is there. */
const LOOK_AHEAD_MS = 400 * 86_400_000;
/** The world has some 600 zones and their aliases. */
const MAX_ZONES = 1_000;

export interface Offset {
  /** Local time − UTC. */
  offsetMs: number;
  fromMs: number;
  /** The first instant at which it may be another. */
  untilMs: number;
}

const known = new Map<string, Offset>();

/** The zone's offset at an instant; a name that nobody knows counts as UTC. */
export function offsetAt(timeZone: string, atMs: number): Offset {
  const kept = known.get(timeZone);
  if (kept !== undefined && kept.fromMs <= atMs && atMs < kept.untilMs) return kept;
  const found = findOffset(timeZone, atMs);
  if (known.size >= MAX_ZONES) known.clear();
  known.set(timeZone, found);
  return found;
}

function findOffset(timeZone: string, atMs: number): Offset {
  const instant = Temporal.Instant.fromEpochMilliseconds(atMs);
  let zoned: Temporal.ZonedDateTime;
  try {
    zoned = instant.toZonedDateTimeISO(timeZone);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { offsetMs: 0, fromMs: atMs, untilMs: Number.POSITIVE_INFINITY };
  }
  const next = zoned.getTimeZoneTransition("next")?.epochMilliseconds ?? Number.POSITIVE_INFINITY;
  const untilMs = Math.min(next, atMs + LOOK_AHEAD_MS);
  return { offsetMs: zoned.offsetNanoseconds / 1e6, fromMs: atMs, untilMs };
}
