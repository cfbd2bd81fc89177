/**
 * Cron patterns of five fields in a time zone.
 *
 * The rule at a change of the clocks: a time of day that the clock leaps over fires once, when it has leapt (several
 * that it leaps over fire together, once); one that it shows twice fires the first time. A pattern of every hour
 * follows the hours that pass instead: it fires whenever the clock shows its minute.
 */
import { Cron, CronPattern } from "croner";

/** Of a pattern: the longest that says something is a quarter of it. */
export const MAX_PATTERN_LENGTH = 200;

/** A pattern or a time zone that can't be read, or a pattern that never comes to pass. */
export class BadCron extends Error {
  override readonly name = "BadCron";
  readonly code = "bad_cron";
}

const HOURS = 24;

/** The next instant after another, both epoch ms; undefined when there is none. */
export type Next = (afterMs: number) => number | undefined;

/** @throws {BadCron} */
export function readCron(pattern: string, timeZone: string): Next {
  checkZone(timeZone);
  if (pattern.length > MAX_PATTERN_LENGTH)
    throw new BadCron(`a cron pattern has at most ${MAX_PATTERN_LENGTH} characters`);
  const cron = asCron(pattern, timeZone);
  return (afterMs) => {
    // croner's own ends at the year 10,000, and its answer before the epoch is none of ours.
    const at = new Date(afterMs);
    return Number.isNaN(at.getTime()) ? undefined : cron.nextRun(at)?.getTime();
  };
}

function asCron(pattern: string, timezone: string): Cron {
  const [, , ...days] = pattern.trim().split(/\s+/);
  try {
    const { minute, hour } = new CronPattern(pattern, undefined, { mode: "5-part" });
    const hours = listed(hour);
    // Without wildcards it is croner's fixed time, whose rule is ours; with one in the hours it follows the hours.
    const fields = [listed(minute), hours.length === HOURS ? "*" : hours, ...days];
    return new Cron(fields.join(" "), {
      ...{ timezone, paused: true, mode: "5-part", fixedTimeRule: "no-wildcard" },
    });
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^Cron\w*: /, "") : String(error);
    throw new BadCron(`the cron pattern can't be read: ${why.slice(0, 200)}`, { cause: error });
  }
}

/** The numbers that are set. */
const listed = (set: readonly number[]) => set.flatMap((isSet, n) => (isSet ? [n] : []));

/** @throws {BadCron} for anything but a name of the IANA database; an offset follows no law. */
function checkZone(timeZone: string): void {
  const fail = () => new BadCron(`${JSON.stringify(timeZone.slice(0, 60))} is no time zone`);
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,59}$/.test(timeZone)) throw fail();
  try {
    new Intl.DateTimeFormat("en", { timeZone });
  } catch {
    throw fail();
  }
}
