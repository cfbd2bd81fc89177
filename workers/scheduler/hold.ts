/** Keeps jobs until their time: all of a batch by one statement. */
import { Reject, type Tx } from "@tl-engine/shared";
import type { HeldJob } from "./held-job.ts";
import { COLUMNS, type PendingRow, valuesOf } from "./pending.ts";

/** Jobs that came meanwhile are the newer ones: a retry is newer than what it retries, a replay than both. */
const NEWER = `(excluded.generation, excluded.attempt, excluded.crashes)
  >= (pending.generation, pending.attempt, pending.crashes)`;
/** A job id is its publisher's and stands for one input, as it does for engines. */
const SAME =
  "excluded.publisher is not distinct from pending.publisher and excluded.input_hash = pending.input_hash";

const PUT = `
  insert into engine_scheduler.pending (${COLUMNS})
  select ${COLUMNS} from jsonb_populate_recordset(null::engine_scheduler.pending, $1::jsonb)
  on conflict (engine, job_id) do update set (${COLUMNS}, tries) = (${COLUMNS.replaceAll(/\w+/g, "excluded.$&")}, 0)
  where ${SAME} and ${NEWER} and not pending.cancelled
  returning engine, job_id "jobId", pg_current_xact_id()::text xid`;
const KEPT = `
  select engine, job_id "jobId", input_hash "inputHash", publisher from engine_scheduler.pending
  where (engine, job_id) in (select * from unnest($1::text[], $2::text[]))`;

export interface HoldOutput {
  /** `held`, or `older` than what is held under its id already. */
  outcome: "held" | "older";
}

/** What is told to the clock: when the earliest of them is due, and the transaction that commits it. */
export type OnHeld = (dueMs: number, xid: string) => void;

const keyOf = ({ engine, id }: Pick<HeldJob, "engine" | "id">) => `${engine}\0${id}`;
const rowKey = ({ engine, jobId }: { engine: string; jobId: string }) => `${engine}\0${jobId}`;

/**
 * Outputs in the jobs' order.
 * @throws {Reject} for a job id that is held with another input, or of another publisher: alone in its batch at last, it
 *   ends as rejected.
 */
export async function hold(
  jobs: readonly HeldJob[],
  tx: Tx,
  onHeld: OnHeld,
): Promise<HoldOutput[]> {
  const newest = new Map<string, HeldJob>();
  for (const job of sortedByKey(jobs)) {
    const other = newest.get(keyOf(job));
    if (other !== undefined && !isSame(other, job)) throw conflict(job);
    if (other === undefined || compareAge(job, other) >= 0) newest.set(keyOf(job), job);
  }
  const rows = [...newest.values()].map(rowOf);
  const { rows: put } = await tx.query<{ engine: string; jobId: string; xid: string }>(PUT, [
    valuesOf(rows),
  ]);
  const held = new Set(put.map(rowKey));
  const others = [...newest.values()].filter((job) => !held.has(keyOf(job)));
  if (others.length > 0) await checkKept(tx, others);
  const [first] = put;
  if (first !== undefined) onHeld(Math.min(...rows.map(({ run_at_ms }) => run_at_ms)), first.xid);
  return jobs.map((job) => ({
    outcome: held.has(keyOf(job)) && newest.get(keyOf(job)) === job ? "held" : "older",
  }));
}

/** By which two schedulers that hold the same jobs wait for each other, and don't deadlock; in order where it is one id. */
const sortedByKey = (jobs: readonly HeldJob[]) =>
  [...jobs].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0));

const compareAge = (a: HeldJob, b: HeldJob) =>
  a.generation - b.generation || a.attempt - b.attempt || a.crashes - b.crashes;

const isSame = (a: HeldJob, b: HeldJob) =>
  a.inputHash === b.inputHash && a.publisher === b.publisher;

const conflict = ({ id }: HeldJob) =>
  new Reject(`the job ${id} is held already, with another input or of another publisher`);

/** What was not put is older than what is kept; anything else is a conflict. */
async function checkKept(tx: Tx, jobs: readonly HeldJob[]): Promise<void> {
  const { rows } = await tx.query(KEPT, [
    jobs.map(({ engine }) => engine),
    jobs.map(({ id }) => id),
  ]);
  const kept = new Map(rows.map((row) => [rowKey(row), row]));
  for (const job of jobs) {
    const row = kept.get(keyOf(job));
    if (
      row !== undefined &&
      !isSame({ ...job, ...row, publisher: row.publisher ?? undefined }, job)
    )
      throw conflict(job);
  }
}

function rowOf(job: HeldJob): PendingRow {
  const { engine, lane, id, type, runAtMs, generation, attempt, crashes, returns } = job;
  return {
    ...{ engine, job_id: id, lane, type, run_at_ms: runAtMs, due_ms: runAtMs },
    ...{ generation, attempt, crashes, returns, publisher: job.publisher ?? null },
    ...{ schedule: null, slot_ms: null, app_id: job.appId ?? null, reply_to: job.replyTo ?? null },
    ...{ correlation_id: job.correlationId ?? null, deadline_ms: job.deadlineMs ?? null },
    ...{ traceparent: job.traceparent ?? null, input_hash: job.inputHash, body: job.body },
  };
}
