/** The slots of a pattern found the slow way: every minute is looked at on the wall, and no library of cron is asked. */

const MINUTE_MS = 60_000;
/** No clock was ever set back, or forward, by more. */
const LOOK_BACK_MINUTES = 180;

/** What a wall calendar and a clock show. */
export interface Wall {
  minute: number;
  hour: number;
  day: number;
  /** From 1. */
  month: number;
  year: number;
  /** From 0, Sunday. */
  weekday: number;
}

export interface Pattern {
  minutes: readonly number[];
  hours: readonly number[];
  isDay(wall: Wall): boolean;
}

/** Instants from one to before another, epoch ms, at which the pattern is due in the zone. */
export function minuteByMinute(pattern: Pattern, zone: string, fromMs: number, untilMs: number) {
  const wallOf = clockOn(zone);
  const followsHours = pattern.hours.length === 24;
  const matches = (wall: Wall) =>
    pattern.minutes.includes(wall.minute) &&
    pattern.hours.includes(wall.hour) &&
    pattern.isDay(wall);
  const found: number[] = [];
  const shown = new Map<number, number>();
  for (let ms = fromMs - LOOK_BACK_MINUTES * MINUTE_MS; ms < untilMs; ms += MINUTE_MS) {
    const wall = wallOf(ms);
    const text = asNumber(wall);
    const isRepeat = shown.has(text);
    shown.set(text, ms);
    if (ms < fromMs) continue;
    const leapt = followsHours ? [] : between(asNumber(wallOf(ms - MINUTE_MS)), text);
    const isDue = matches(wall) && (followsHours || !isRepeat);
    if (isDue || leapt.some((at) => matches(fromNumber(at)))) found.push(ms);
  }
  return found;
}

/** The wall's minutes that it never showed, between two that followed each other. */
function between(before: number, after: number): number[] {
  const minutes: number[] = [];
  for (let at = before + MINUTE_MS; at < after; at += MINUTE_MS) minutes.push(at);
  return minutes;
}

/** As if the wall's time were UTC. */
const asNumber = ({ year, month, day, hour, minute }: Wall) =>
  Date.UTC(year, month - 1, day, hour, minute);

function fromNumber(ms: number): Wall {
  const date = new Date(ms);
  return {
    ...{ minute: date.getUTCMinutes(), hour: date.getUTCHours(), day: date.getUTCDate() },
    ...{ month: date.getUTCMonth() + 1, year: date.getUTCFullYear(), weekday: date.getUTCDay() },
  };
}

/** Asked of the zone once per quarter of an hour, in which no clock changes. */
function clockOn(timeZone: string): (ms: number) => Wall {
  const format = new Intl.DateTimeFormat("en-u-hc-h23", {
    ...{ timeZone, calendar: "gregory", hourCycle: "h23" },
    ...{ year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" },
  });
  const offsets = new Map<number, number>();
  return (ms) => {
    const quarter = Math.floor(ms / (15 * MINUTE_MS)) * 15 * MINUTE_MS;
    let offset = offsets.get(quarter);
    if (offset === undefined) {
      const parts = Object.fromEntries(
        format.formatToParts(quarter).map(({ type, value }) => [type, Number(value)]),
      ) as Record<"year" | "month" | "day" | "hour" | "minute", number>;
      offset = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute) - quarter;
      offsets.set(quarter, offset);
    }
    return fromNumber(ms + offset);
  };
}
