/** The stretches of a time zone in which its distance from UTC stays the same. */
import { Temporal } from "temporal-polyfill";

export interface Stretch {
  /** Epoch milliseconds; the end is not part of it. */
  fromMs: number;
  toMs: number;
  /** What is added to UTC to get local time. */
  offsetMs: number;
}

/** They cover the time from `fromMs` to `toMs` without a gap, in order. */
export function stretchesOf(timeZone: string, fromMs: number, toMs: number): Stretch[] {
  const stretches: Stretch[] = [];
  let at = Temporal.Instant.fromEpochMilliseconds(fromMs).toZonedDateTimeISO(timeZone);
  for (let from = fromMs; from < toMs; ) {
    const next = at.getTimeZoneTransition("next");
    const to = next === null ? toMs : Math.min(toMs, next.epochMilliseconds);
    stretches.push({ fromMs: from, toMs: to, offsetMs: at.offsetNanoseconds / 1e6 });
    if (next === null) break;
    at = next;
    from = to;
  }
  return stretches;
}
