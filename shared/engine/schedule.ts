/** When an action runs by itself: what the author of an engine says of it. The scheduler keeps it. */
import type { Lane } from "../wire/names.ts";

interface ScheduledAction {
  /** The action that runs, one of the worker's own. */
  action: string;
  /** Its input, at most 65,536 bytes of JSON, which its schema must take: `make check` tries it. Default `{}`. */
  input?: unknown;
  /** The engine's queue that its jobs go to. Default `interactive`. */
  lane?: Lane;
  /** Each run is later than its slot by 0 to so many seconds, 0 to 3,600: the same ones on every scheduler. Default 0. */
  jitterSeconds?: number;
  /**
   * What becomes of a slot while the previous run goes on: `skip` leaves it out, `queue-one` runs one of them after it,
   * `allow` runs it beside it. Default `skip`.
   */
  overlap?: "skip" | "queue-one" | "allow";
  /** How long a run without a result counts as going on, in seconds, 1 to 2,592,000 (30 days). Default 3,600. */
  runLimitSeconds?: number;
  /** What becomes of slots that nobody was there to run, more than a minute late. */
  catchUp?: CatchUp;
}

export interface CatchUp {
  /** Of the missed slots: `skip` runs none, `once` the last, `all` each, which takes `overlap: "allow"`. Default `once`. */
  policy?: "skip" | "once" | "all";
  /** How old a missed slot may be that is still run, in seconds, 0 to 31,622,400 (366 days). Default 3,600. */
  windowSeconds?: number;
}

interface ByPattern {
  /** Minute, hour, day, month and weekday, at most 200 characters; also `L`, `W` and `#`. */
  cron: string;
  /**
   * IANA name of the zone that `cron` is read in. A time that the clock leaps over runs once, when it has leapt; one
   * that it shows twice runs once. Default `UTC`.
   */
  timeZone?: string;
  everySeconds?: never;
  anchor?: never;
}

interface ByInterval {
  /** Seconds from one run to the next, 1 to 31,622,400 (366 days), counted from `anchor`. */
  everySeconds: number;
  /** Where the intervals are counted from, ISO-8601 with an offset. Default `1970-01-01T00:00:00Z`. */
  anchor?: string;
  cron?: never;
  timeZone?: never;
}

/** By a pattern, or at an interval. */
export type Schedule = ScheduledAction & (ByPattern | ByInterval);

/** All keys that a schedule, and its `catchUp`, may have; none that it may not. */
export type ScheduleKeys = Required<ScheduledAction> & Record<keyof ByPattern, unknown>;
