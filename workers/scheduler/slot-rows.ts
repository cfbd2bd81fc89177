/** Slots as rows: the jobs that they put, and the history of what became of each. */
import { createHash } from "node:crypto";
import type { PendingRow } from "./pending.ts";
import { engineOf, jitterMs, slotId } from "./slots.ts";
import type { ScheduleSpec } from "./spec.ts";

export interface HistoryRow {
  schedule: string;
  slot_ms: number;
  state: "fired" | "queued" | "skipped" | "missed";
  count: number;
  decided_ms: number;
}

/** What was queued is fired at last, and what was missed or skipped is when somebody asks for it. */
export const PUT_HISTORY = `
  insert into engine_scheduler.slots (schedule, slot_ms, state, count, decided_ms)
  select schedule, slot_ms, state, count, decided_ms
  from jsonb_populate_recordset(null::engine_scheduler.slots, $1::jsonb)
  on conflict (schedule, slot_ms) do update
    set (state, count, decided_ms) = (excluded.state, excluded.count, excluded.decided_ms)
  where slots.state <> 'fired'`;

/**
 * The job of a slot.
 * @param publisher the scheduler's own user.
 * @param id given where it is no slot's of the timing, but a run that somebody asked for.
 */
export function slotJob(
  spec: ScheduleSpec,
  slotMs: number,
  publisher: string,
  id?: string,
): PendingRow {
  const { name, type, lane, input, jitterSeconds } = spec;
  const runAtMs = id === undefined ? slotMs + jitterMs(name, slotMs, jitterSeconds) : slotMs;
  const body = JSON.stringify(input);
  return {
    ...{ engine: engineOf(name), job_id: id ?? slotId(name, slotMs), type, lane },
    ...{ run_at_ms: runAtMs, due_ms: runAtMs, generation: 0, attempt: 1, crashes: 0, returns: 0 },
    ...{ publisher, schedule: name, slot_ms: slotMs, app_id: null, reply_to: null },
    ...{ correlation_id: null, deadline_ms: null, traceparent: null, body },
    input_hash: createHash("sha256").update(body).digest("base64url"),
  };
}
