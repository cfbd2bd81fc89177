/** What callers do with schedules and with jobs that wait: each with its own alone. */
import { createHash } from "node:crypto";
import { type Job, Reject, type Tx } from "@tl-engine/shared";
import { putSlots } from "./pending.ts";
import {
  checkOwner,
  databaseNow,
  findSchedule,
  type Kept,
  putSchedule,
  removeSchedule,
  setPaused,
} from "./schedules.ts";
import { PUT_HISTORY, slotJob } from "./slot-rows.ts";
import { nextSlots, slotId, slotsOf } from "./slots.ts";
import { type ScheduleSpec, YEAR_S } from "./spec.ts";

/** Slots of one backfill. */
const MAX_BACKFILL = 1_000;
const TOLD_SLOTS = 3;

/** What the actions know of the scheduler that they run in. */
export interface Scheduler {
  /** Its own broker user, whose the slots of the file's schedules are. */
  publisher(): string;
  /** Whether a publisher may run, pause and see what others have, and what comes from the file. */
  isAdmin(publisher: string | undefined): boolean;
  /** Tells the clock what was put, and the transaction that commits it. */
  onPut(dueMs: number, xid: string): void;
}

type Asking = Pick<Job, "id" | "publisher" | "tx">;

export const isoOf = (ms: number) => new Date(ms).toISOString();

export const nextRuns = (spec: ScheduleSpec, nextMs: number | null) =>
  nextMs === null ? [] : nextSlots(slotsOf(spec), nextMs - 1, TOLD_SLOTS).map(isoOf);

async function tell(tx: Tx, scheduler: Scheduler, dueMs: number | null): Promise<void> {
  if (dueMs === null) return;
  const { rows } = await tx.query<{ xid: string }>("select pg_current_xact_id()::text xid");
  scheduler.onPut(dueMs, (rows[0] as { xid: string }).xid);
}

export async function put(spec: ScheduleSpec, job: Asking, scheduler: Scheduler) {
  const tx = await job.tx();
  const nextMs = await putSchedule(tx, spec, job.publisher);
  await tell(tx, scheduler, nextMs);
  return { name: spec.name, nextRuns: nextRuns(spec, nextMs) };
}

export async function remove(name: string, job: Asking) {
  const tx = await job.tx();
  const kept = await findSchedule(tx, name);
  if (kept === undefined) return { done: false };
  checkOwner(kept, job.publisher);
  await removeSchedule(tx, name);
  return { done: true };
}

/** @throws {Reject} where there is none that the publisher may do this with. */
async function findOwn(tx: Tx, name: string, job: Asking, scheduler: Scheduler): Promise<Kept> {
  const kept = await findSchedule(tx, name);
  if (kept !== undefined && scheduler.isAdmin(job.publisher)) return kept;
  if (kept === undefined || kept.source === "file")
    throw new Reject(`there is no schedule ${name} of yours`);
  checkOwner(kept, job.publisher);
  return kept;
}

export async function pause(name: string, paused: boolean, job: Asking, scheduler: Scheduler) {
  const tx = await job.tx();
  const kept = await findOwn(tx, name, job, scheduler);
  if (kept.paused === paused) return { done: false };
  await setPaused(tx, kept, paused);
  if (!paused) await tell(tx, scheduler, await databaseNow(tx));
  return { done: true };
}

/** Beside its slots, now. The same request again is the same job. */
export async function run(name: string, job: Asking, scheduler: Scheduler) {
  const tx = await job.tx();
  const schedule = await findOwn(tx, name, job, scheduler);
  const nowMs = await databaseNow(tx);
  const request = createHash("sha256")
    .update(`${job.publisher ?? ""}\n${job.id}`)
    .digest("hex");
  const id = `${name}:run:${request.slice(0, 24)}`;
  await putSlots(tx, [slotJob(schedule, nowMs, scheduler.publisher(), id)]);
  await tell(tx, scheduler, nowMs);
  return { id };
}

/** Runs what did not run between two instants, each slot under its own id: what has run is not run again. */
export async function backfill(
  { name, from, to }: { name: string; from: string; to: string },
  job: Asking,
  scheduler: Scheduler,
) {
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)];
  const tx = await job.tx();
  const schedule = await findOwn(tx, name, job, scheduler);
  const nowMs = await databaseNow(tx);
  if (toMs > nowMs) throw new Reject("to: it must have passed, what comes is run by itself");
  if (fromMs > toMs) throw new Reject("from: it must not lie after to");
  const slots = nextSlots(slotsOf(schedule.spec), fromMs - 1, MAX_BACKFILL + 1).filter(
    (ms) => ms <= toMs,
  );
  if (slots.length > MAX_BACKFILL)
    throw new Reject(`there are more than ${MAX_BACKFILL} slots between them: take several steps`);
  const { rows } = await tx.query<{ slotMs: number }>(
    `select slot_ms::float8 "slotMs" from engine_scheduler.slots
     where schedule = $1 and state = 'fired' and slot_ms between $2 and $3`,
    [name, fromMs, toMs],
  );
  const ran = new Set(rows.map(({ slotMs }) => slotMs));
  const left = slots.filter((slotMs) => !ran.has(slotMs));
  const jobs = left.map((slotMs) => ({
    ...slotJob(schedule, slotMs, scheduler.publisher(), slotId(name, slotMs)),
    ...{ run_at_ms: nowMs, due_ms: nowMs },
  }));
  const history = left.map((slot_ms) => ({
    ...{ schedule: name, slot_ms, state: "fired", count: 1, decided_ms: nowMs },
  }));
  if (left.length > 0) {
    await putSlots(tx, jobs);
    await tx.query(PUT_HISTORY, [JSON.stringify(history)]);
    await tell(tx, scheduler, nowMs);
  }
  return { slots: slots.length, put: left.length };
}

const OWN_JOB =
  "engine = $1 and job_id = $2 and publisher is not distinct from $3 and not cancelled";
const CANCEL = `update engine_scheduler.pending set cancelled = true, due_ms = least(due_ms, $4)
  where ${OWN_JOB} returning 1`;
const CHANGE = `update engine_scheduler.pending set run_at_ms = $4, due_ms = $4, tries = 0
  where ${OWN_JOB} returning 1`;

/** It goes to its engine at once, which ends it unrun: so whoever waits for its reply gets one. */
export async function cancel(
  { engine, id }: { engine: string; id: string },
  job: Asking,
  scheduler: Scheduler,
) {
  const tx = await job.tx();
  const nowMs = await databaseNow(tx);
  const { rows } = await tx.query(CANCEL, [engine, id, job.publisher ?? null, nowMs]);
  if (rows.length > 0) await tell(tx, scheduler, nowMs);
  return { done: rows.length > 0 };
}

export async function change(
  { engine, id, runAt }: { engine: string; id: string; runAt: string },
  job: Asking,
  scheduler: Scheduler,
) {
  const tx = await job.tx();
  const runAtMs = Date.parse(runAt);
  if (runAtMs > (await databaseNow(tx)) + YEAR_S * 1_000)
    throw new Reject("runAt: a job can wait for a year at most");
  const { rows } = await tx.query(CHANGE, [engine, id, job.publisher ?? null, runAtMs]);
  if (rows.length > 0) await tell(tx, scheduler, runAtMs);
  return { done: rows.length > 0 };
}
