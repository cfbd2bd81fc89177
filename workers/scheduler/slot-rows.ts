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

/** A schedule, and whose its jobs are. */
export interface Owned {
  spec: ScheduleSpec;
  source: "file" | "job";
  /** Of who put it; null where its message named none. */
  publisher: string | null;
}

/** Those of a publisher's schedule are its own: as the scheduler's they could do what the publisher may not. */
const publisherOf = ({ source, publisher }: Owned, own: string) =>
  source === "file" ? own : publisher;

/** One text for all slots of a schedule: a thousand copies of a large input would be most of a pod's memory. */
const BODIES = new WeakMap<ScheduleSpec, { body: string; input_hash: string }>();

function bodyOf(spec: ScheduleSpec): { body: string; input_hash: string } {
  const known = BODIES.get(spec);
  if (known !== undefined) return known;
  const body = JSON.stringify(spec.input);
  const made = { body, input_hash: createHash("sha256").update(body).digest("base64url") };
  BODIES.set(spec, made);
  return made;
}

/**
 * The job of a slot.
 * @param own the scheduler's own user, whose the file's are.
 * @param id given where it is no slot's of the timing, but a run that somebody asked for.
 */
export function slotJob(schedule: Owned, slotMs: number, own: string, id?: string): PendingRow {
  const { name, type, lane, jitterSeconds } = schedule.spec;
  const runAtMs = id === undefined ? slotMs + jitterMs(name, slotMs, jitterSeconds) : slotMs;
  return {
    ...{ engine: engineOf(name), job_id: id ?? slotId(name, slotMs), type, lane },
    ...{ run_at_ms: runAtMs, due_ms: runAtMs, generation: 0, attempt: 1, crashes: 0, returns: 0 },
    ...{ publisher: publisherOf(schedule, own), schedule: name, slot_ms: slotMs },
    ...{ app_id: null, reply_to: null, correlation_id: null, deadline_ms: null, traceparent: null },
    ...bodyOf(schedule.spec),
  };
}
