/** Moves schedules on whose slots are due: puts the jobs of those that run, and notes what became of the others. */
import type { Tx } from "@tl-engine/shared";
import { dueSlots } from "./catch-up.ts";
import { decideOverlap } from "./overlap.ts";
import { type PendingRow, putSlots } from "./pending.ts";
import { type HistoryRow, type Owned, PUT_HISTORY, slotJob } from "./slot-rows.ts";
import { engineOf, slotId, slotsOf } from "./slots.ts";

/** Schedules of one round, and how long they may hold up all else: one that has much to catch up takes 30 ms. */
const AT_ONCE = 500;
const BUDGET_MS = 100;
/** How often it is looked whether the run has ended that a slot waits for. The run itself keeps Postgres awake. */
const RECHECK_MS = 5_000;

const DUE = `
  select name, spec, source, publisher, next_ms::float8 "nextMs", queued_ms::float8 "queuedMs", last_job_id "lastJobId",
    last_run_ms::float8 "lastRunMs"
  from engine_scheduler.schedules where not paused and due_ms <= $1
  order by due_ms limit ${AT_ONCE} for update skip locked`;
/** Which of some jobs have ended, however. */
const ENDED = `select name from unnest($1::text[], $2::text[], $3::text[]) as t(name, engine, id)
  where engine.job_ended(engine, id)`;
const MOVE = `
  update engine_scheduler.schedules s set next_ms = r.next_ms, queued_ms = r.queued_ms, recheck_ms = r.recheck_ms,
    last_job_id = r.last_job_id, last_run_ms = r.last_run_ms
  from jsonb_populate_recordset(null::engine_scheduler.schedules, $1::jsonb) r where s.name = r.name`;

interface DueSchedule extends Owned {
  name: string;
  nextMs: number | null;
  queuedMs: number | null;
  lastJobId: string | null;
  lastRunMs: number | null;
}

interface Moved {
  name: string;
  next_ms: number | null;
  queued_ms: number | null;
  recheck_ms: number | null;
  last_job_id: string | null;
  last_run_ms: number | null;
}

export interface Advanced {
  /** How many schedules were due. */
  schedules: number;
  missed: number;
  skipped: number;
}

/** To be called in a transaction. @param nowMs of Postgres' clock. @param publisher the scheduler's user. */
export async function advance(tx: Tx, nowMs: number, publisher: string): Promise<Advanced> {
  const { rows: due } = await tx.query<DueSchedule>(DUE, [nowMs]);
  if (due.length === 0) return { schedules: 0, missed: 0, skipped: 0 };
  const running = await findRunning(tx, due, nowMs);
  const moved: Moved[] = [];
  const history: HistoryRow[] = [];
  const jobs: PendingRow[] = [];
  const startMs = performance.now();
  for (const schedule of due) {
    // The others stay due.
    if (performance.now() - startMs > BUDGET_MS) break;
    const step = advanceOne(schedule, running.has(schedule.name), nowMs, publisher);
    moved.push(step.moved);
    history.push(...step.history);
    jobs.push(...step.jobs);
  }
  await tx.query(MOVE, [JSON.stringify(moved)]);
  if (history.length > 0) await tx.query(PUT_HISTORY, [JSON.stringify(history)]);
  await putSlots(tx, jobs);
  const count = (state: HistoryRow["state"]) =>
    history.reduce((sum, row) => sum + (row.state === state ? row.count : 0), 0);
  return { schedules: moved.length, missed: count("missed"), skipped: count("skipped") };
}

/** Those whose last run goes on: no result, and within its limit. */
async function findRunning(tx: Tx, due: DueSchedule[], nowMs: number): Promise<Set<string>> {
  const asked = due.filter(
    ({ spec, lastJobId, lastRunMs }) =>
      spec.overlap !== "allow" &&
      lastJobId !== null &&
      nowMs < (lastRunMs as number) + spec.runLimitSeconds * 1_000,
  );
  if (asked.length === 0) return new Set();
  const { rows } = await tx.query<{ name: string }>(ENDED, [
    asked.map(({ name }) => name),
    asked.map(({ name }) => engineOf(name)),
    asked.map(({ lastJobId }) => lastJobId),
  ]);
  const ended = new Set(rows.map(({ name }) => name));
  return new Set(asked.map(({ name }) => name).filter((name) => !ended.has(name)));
}

function advanceOne(schedule: DueSchedule, isRunning: boolean, nowMs: number, publisher: string) {
  const { name, spec, nextMs, queuedMs, lastJobId, lastRunMs } = schedule;
  const isDue = nextMs !== null && nextMs <= nowMs;
  const due = isDue
    ? dueSlots(
        {
          next: slotsOf(spec),
          isInterval: spec.cron === undefined,
          catchUp: spec.catchUp,
        },
        nextMs,
        nowMs,
      )
    : { fire: [], missed: undefined, nextMs: nextMs ?? undefined };
  const runs = { isRunning, queuedMs: queuedMs ?? undefined };
  const decided = decideOverlap(spec.overlap, runs, due.fire);
  const row = (slotMs: number, state: HistoryRow["state"], count = 1): HistoryRow => ({
    ...{ schedule: name, slot_ms: slotMs, state, count, decided_ms: Math.round(nowMs) },
  });
  const history = decided.slots.map(({ slotMs, state }) => row(slotMs, state));
  if (due.missed) history.push(row(due.missed.lastMs, "missed", due.missed.count));
  const fired = decided.slots.filter(({ state }) => state === "fired").map(({ slotMs }) => slotMs);
  const jobs = fired.map((slotMs) => slotJob(schedule, slotMs, publisher));
  const last = jobs.at(-1);
  const moved: Moved = {
    ...{ name, next_ms: due.nextMs ?? null, queued_ms: decided.queuedMs ?? null },
    recheck_ms: decided.queuedMs === undefined ? null : Math.round(nowMs) + RECHECK_MS,
    last_job_id: last ? slotId(name, fired.at(-1) as number) : lastJobId,
    // A queued one runs now, long after its slot.
    last_run_ms: last ? Math.max(last.run_at_ms, Math.round(nowMs)) : lastRunMs,
  };
  return { moved, history, jobs };
}
