/** A job that waits, as a row. */

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

/** An id that is there keeps what it has: it is the same slot's. */
export const PUT_SLOTS = `
  insert into engine_scheduler.pending (${COLUMNS})
  select ${COLUMNS} from jsonb_populate_recordset(null::engine_scheduler.pending, $1::jsonb)
  on conflict (engine, job_id) do nothing`;
