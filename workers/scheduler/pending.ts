/** A job that waits, as a row. */
import type { Tx } from "@tl-engine/shared";

export interface PendingRow {
  engine: string;
  job_id: string;
  run_at_ms: number;
  due_ms: number;
  lane: "interactive" | "bulk";
  type: string;
  generation: number;
  attempt: number;
  crashes: number;
  returns: number;
  publisher: string | null;
  schedule: string | null;
  slot_ms: number | null;
  app_id: string | null;
  reply_to: string | null;
  correlation_id: string | null;
  deadline_ms: number | null;
  traceparent: string | null;
  input_hash: string;
  body: string;
}

export const COLUMNS = `engine, job_id, run_at_ms, due_ms, lane, type, generation, attempt, crashes, returns, publisher,
  schedule, slot_ms, app_id, reply_to, correlation_id, deadline_ms, traceparent, input_hash, body`;

/** One parameter for any number of rows. */
export const valuesOf = (rows: readonly PendingRow[]) => JSON.stringify(rows);

/** An id that is there keeps what it has, being the same slot's; unless somebody else took it, who is not to stop the slot. */
const PUT_SLOTS = `
  insert into engine_scheduler.pending (${COLUMNS})
  select ${COLUMNS} from jsonb_populate_recordset(null::engine_scheduler.pending, $1::jsonb)
  on conflict (engine, job_id) do update set (${COLUMNS}, tries, cancelled)
    = (${COLUMNS.replaceAll(/\w+/g, "excluded.$&")}, 0, false)
  where pending.publisher is distinct from excluded.publisher`;

/** Of the bodies of one statement, whose parameter is several times as large in memory. */
const MAX_PUT_LENGTH = 4 * 1_048_576;

/** Puts any number of slots, in steps where their inputs are large. */
export async function putSlots(tx: Tx, rows: readonly PendingRow[]): Promise<void> {
  let step: PendingRow[] = [];
  let length = 0;
  for (const row of rows) {
    if (step.length > 0 && length + row.body.length > MAX_PUT_LENGTH) {
      await tx.query(PUT_SLOTS, [valuesOf(step)]);
      step = [];
      length = 0;
    }
    step.push(row);
    length += row.body.length;
  }
  if (step.length > 0) await tx.query(PUT_SLOTS, [valuesOf(step)]);
}
