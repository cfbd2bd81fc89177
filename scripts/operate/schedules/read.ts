/** What the scheduler keeps, read from its tables: schedules with their runs, and jobs that wait. */
import type { Queryable } from "@tl-engine/shared/stores/database";

export interface ListedSchedule {
  name: string;
  /** Of its jobs. */
  type: string;
  /** Its pattern and zone, or its interval, in words. */
  when: string;
  source: "file" | "job";
  /** Broker user of who put it; of the file's nobody. */
  publisher: string | null;
  paused: boolean;
  /** All instants are epoch milliseconds. */
  nextMs: number | null;
  /** The slot that waits for the run before it. */
  queuedMs: number | null;
  lastRunMs: number | null;
  lastJobId: string | null;
  /** Slots that nobody was there to run, and that a run that went on left out, as far back as the history goes. */
  missed: number;
  skipped: number;
  lastMissedMs: number | null;
}

export interface Slot {
  atMs: number;
  state: string;
  /** Slots that it stands for. */
  count: number;
  decidedMs: number;
  /** When the broker had its job. */
  firedMs: number | null;
}

/** What waits for its time, of one engine. */
export interface Held {
  engine: string;
  jobs: number;
  nextMs: number;
  lastMs: number;
  /** Those whose time has passed. */
  overdue: number;
  bytes: number;
}

export interface Kept {
  nowMs: number;
  schedules: ListedSchedule[];
  held: Held[];
}

interface Timing {
  cron?: string;
  timeZone?: string;
  everySeconds?: number;
  type: string;
}

const NOW = `select floor(extract(epoch from clock_timestamp()) * 1000)::float8 "nowMs"`;

/** $1: one schedule's name, or null; $2: an engine's, or null. */
const SCHEDULES = `
  select s.name, s.spec, s.source, s.publisher, s.paused, s.next_ms::float8 "nextMs", s.queued_ms::float8 "queuedMs",
    s.last_run_ms::float8 "lastRunMs", s.last_job_id "lastJobId",
    coalesce(h.missed, 0)::int missed, coalesce(h.skipped, 0)::int skipped, h.last_missed::float8 "lastMissedMs"
  from engine_scheduler.schedules s left join lateral (
    select sum(count) filter (where state = 'missed') missed, sum(count) filter (where state = 'skipped') skipped,
      max(slot_ms) filter (where state = 'missed') last_missed
    from engine_scheduler.slots where schedule = s.name) h on true
  where ($1::text is null or s.name = $1) and ($2::text is null or s.name like $2 || '.%')
  order by s.name`;

const HELD = `
  select engine, count(*)::float8 jobs, min(run_at_ms)::float8 "nextMs", max(run_at_ms)::float8 "lastMs",
    count(*) filter (where run_at_ms < $2)::float8 overdue, sum(body_bytes)::float8 bytes
  from engine_scheduler.pending where $1::text is null or engine = $1 group by engine order by engine`;

const SLOTS = `
  select slot_ms::float8 "atMs", state, count, decided_ms::float8 "decidedMs", fired_ms::float8 "firedMs"
  from engine_scheduler.slots where schedule = $1 order by slot_ms desc limit $2`;

/** @param chosen one schedule, all of an engine, or all there are. */
export async function readKept(
  db: Queryable,
  chosen: { schedule?: string | undefined; engine?: string | undefined },
): Promise<Kept> {
  const { schedule = null, engine = null } = chosen;
  const [now] = (await db.query<{ nowMs: number }>(NOW)).rows;
  const nowMs = (now as { nowMs: number }).nowMs;
  const { rows } = await db.query<Omit<ListedSchedule, "type" | "when"> & { spec: Timing }>(
    SCHEDULES,
    [schedule, engine],
  );
  const { rows: held } = await db.query<Held>(HELD, [engine, nowMs]);
  return {
    nowMs,
    schedules: rows.map(({ spec, ...row }) => ({ ...row, type: spec.type, when: whenOf(spec) })),
    held,
  };
}

export async function readSlots(db: Queryable, schedule: string, limit: number): Promise<Slot[]> {
  return (await db.query<Slot>(SLOTS, [schedule, limit])).rows;
}

const whenOf = ({ cron, timeZone, everySeconds }: Timing) =>
  cron === undefined ? `every ${everySeconds} s` : `${cron} ${timeZone}`;
