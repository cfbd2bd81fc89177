/** Tells a publisher what of its own is kept: schedules with their next and last runs, and jobs that wait. */
import type { Job } from "@tl-engine/shared";
import { isoOf, nextRuns, type Scheduler } from "./control.ts";
import type { ListOutput } from "./schemas.ts";
import type { ScheduleSpec } from "./spec.ts";

const LAST_SLOTS = 5;

const OWN = "($1 or publisher is not distinct from $2)";
const SCHEDULES = `
  select name, spec, source, paused, next_ms::float8 "nextMs", (
    select coalesce(json_agg(last), '[]') from (
      select slot_ms "slotMs", state, count from engine_scheduler.slots
      where schedule = name order by slot_ms desc limit ${LAST_SLOTS}) last) "lastSlots"
  from engine_scheduler.schedules
  where ${OWN} and ($1 or source = 'job') and ($3::text is null or name like $3 || '.%') and name > $4
  order by name limit $5`;
const JOBS = `
  select engine, job_id id, type, run_at_ms::float8 "runAtMs" from engine_scheduler.pending
  where ${OWN} and ($3::text is null or engine = $3) and job_id > $4 and not cancelled
  order by job_id, engine limit $5`;

interface ScheduleRow {
  name: string;
  spec: ScheduleSpec;
  source: string;
  paused: boolean;
  nextMs: number | null;
  lastSlots: { slotMs: number; state: string; count: number }[];
}

export async function list(
  { engine, limit, after }: { engine?: string | undefined; limit: number; after: string },
  job: Pick<Job, "tx" | "publisher">,
  scheduler: Pick<Scheduler, "isAdmin">,
): Promise<ListOutput> {
  const { publisher } = job;
  // One at a time, as all that have a transaction: the schedules of one answer may be 32 MiB.
  const db = await job.tx();
  const asked = [scheduler.isAdmin(publisher), publisher ?? null, engine ?? null, after, limit];
  const { rows: schedules } = await db.query<ScheduleRow>(SCHEDULES, asked);
  const { rows: jobs } = await db.query<ListOutput["jobs"][number] & { runAtMs: number }>(
    JOBS,
    asked,
  );
  return {
    schedules: schedules.map(({ name, spec, source, paused, nextMs, lastSlots }) => ({
      ...{ name, type: spec.type, timeZone: spec.timeZone, source, paused },
      ...(spec.cron !== undefined && { cron: spec.cron }),
      ...(spec.everySeconds !== undefined && { everySeconds: spec.everySeconds }),
      nextRuns: paused ? [] : nextRuns(spec, nextMs),
      lastSlots: lastSlots.map(({ slotMs, state, count }) => ({ at: isoOf(slotMs), state, count })),
    })),
    jobs: jobs.map(({ runAtMs, ...job }) => ({ ...job, runAt: isoOf(runAtMs) })),
  };
}
