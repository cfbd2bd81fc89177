/** Keeps schedules: put, removed, paused, and those of the file as it has them. */
import { readFile } from "node:fs/promises";
import { Reject, type Tx } from "@tl-engine/shared";
import { slotsOf, timingKey } from "./slots.ts";
import { ScheduleFile, type ScheduleSpec, specOf } from "./spec.ts";

/** Of one publisher, and of the file. */
export const MAX_SCHEDULES = 10_000;

/** A schedule as it is kept. */
export interface Kept {
  name: string;
  spec: ScheduleSpec;
  source: "file" | "job";
  publisher: string | null;
  paused: boolean;
  nextMs: number | null;
}

const KEPT = `name, spec, source, publisher, paused, next_ms::float8 "nextMs"`;
const NOW = "select floor(extract(epoch from clock_timestamp()) * 1000)::float8 now_ms";
const PUT = `
  insert into engine_scheduler.schedules (name, spec, source, publisher, next_ms)
  values ($1, $2, $3, $4, $5)
  on conflict (name) do update set (spec, source, publisher, next_ms) =
    (excluded.spec, excluded.source, excluded.publisher, excluded.next_ms)`;
/** Meanwhile another may have put it. */
const PUT_OWN = `${PUT}
  where schedules.source = 'job' and schedules.publisher is not distinct from excluded.publisher returning name`;

/** What Postgres' clock says, epoch milliseconds. */
export async function databaseNow(db: Tx): Promise<number> {
  const { rows } = await db.query<{ now_ms: number }>(NOW);
  return (rows[0] as { now_ms: number }).now_ms;
}

/** The schedule of a name, which nobody else changes until the transaction ends. */
export async function findSchedule(tx: Tx, name: string): Promise<Kept | undefined> {
  const { rows } = await tx.query<Kept>(
    `select ${KEPT} from engine_scheduler.schedules where name = $1 for update`,
    [name],
  );
  return rows[0];
}

/** A schedule's first slot from now on; where its timing stays as it is, what is due of it stays due. */
const nextOf = (spec: ScheduleSpec, kept: Kept | undefined, nowMs: number) =>
  kept !== undefined && timingKey(kept.spec) === timingKey(spec)
    ? kept.nextMs
    : (slotsOf(spec)(nowMs) ?? null);

/**
 * Puts a schedule, which comes into force with the transaction.
 * @returns its first slot.
 * @throws {Reject} where the name is another's, or there are too many.
 */
export async function putSchedule(
  tx: Tx,
  spec: ScheduleSpec,
  publisher: string | undefined,
): Promise<number | null> {
  const kept = await findSchedule(tx, spec.name);
  if (kept !== undefined) checkOwner(kept, publisher);
  else await checkRoom(tx, publisher);
  const nextMs = nextOf(spec, kept, await databaseNow(tx));
  const values = [spec.name, JSON.stringify(spec), "job", publisher ?? null, nextMs];
  const { rows } = await tx.query(PUT_OWN, values);
  if (rows.length === 0) throw new Reject(`there is no schedule ${spec.name} of yours`);
  return nextMs;
}

/** @throws {Reject} unless it was put by a job of this publisher's: the file's are the repository's. */
export function checkOwner({ name, source, publisher }: Kept, asking: string | undefined): void {
  if (source === "file")
    throw new Reject(`the schedule ${name} comes from the schedules' file: change it there`);
  if (publisher !== (asking ?? null)) throw new Reject(`there is no schedule ${name} of yours`);
}

async function checkRoom(tx: Tx, publisher: string | undefined): Promise<void> {
  const { rows } = await tx.query<{ count: number }>(
    `select count(*)::int count from engine_scheduler.schedules
     where source = 'job' and publisher is not distinct from $1`,
    [publisher ?? null],
  );
  if ((rows[0]?.count ?? 0) >= MAX_SCHEDULES)
    throw new Reject(`you have ${MAX_SCHEDULES} schedules already: remove some`);
}

/** Its slots that are pending go as well; what the history has of it stays. */
export async function removeSchedule(tx: Tx, name: string): Promise<void> {
  await tx.query("delete from engine_scheduler.schedules where name = $1", [name]);
  await tx.query("delete from engine_scheduler.pending where schedule = $1", [name]);
}

/** What lies in the time of a pause is no slot: it goes on with the next one. */
export async function setPaused(tx: Tx, kept: Kept, paused: boolean): Promise<void> {
  if (kept.paused === paused) return;
  const nextMs = paused ? kept.nextMs : (slotsOf(kept.spec)(await databaseNow(tx)) ?? null);
  await tx.query(
    `update engine_scheduler.schedules set paused = $2, next_ms = $3, queued_ms = null, recheck_ms = null
     where name = $1`,
    [kept.name, paused, nextMs],
  );
}

/** @throws an Error that says what is wrong with the file. */
export async function readScheduleFile(path: string): Promise<ScheduleSpec[]> {
  const parsed = ScheduleFile.safeParse(JSON.parse(await readFile(path, "utf8")));
  if (parsed.success) return parsed.data.map(specOf);
  const faults = parsed.error.issues.slice(0, 10);
  const lines = faults.map(({ path: place, message }) => `  [${place.join(".")}] ${message}`);
  throw new Error(`SCHEDULER_FILE ${path} is no list of schedules:\n${lines.join("\n")}`);
}

/** Makes those of the file what the file says: a removed one goes, a changed one changes, and no slot is lost. */
export async function syncFile(tx: Tx, specs: readonly ScheduleSpec[]): Promise<void> {
  // Two schedulers that start at once: one after the other. "schedule" in ASCII.
  await tx.query("select pg_advisory_xact_lock(8314892176759549029)");
  const { rows } = await tx.query<Kept>(
    `select ${KEPT} from engine_scheduler.schedules where source = 'file' or name = any($1) for update`,
    [specs.map(({ name }) => name)],
  );
  const kept = new Map(rows.map((row) => [row.name, row]));
  const nowMs = await databaseNow(tx);
  for (const spec of specs) {
    const before = kept.get(spec.name);
    kept.delete(spec.name);
    const values = [spec.name, JSON.stringify(spec), "file", null, nextOf(spec, before, nowMs)];
    await tx.query(PUT, values);
  }
  for (const [name, { source }] of kept) if (source === "file") await removeSchedule(tx, name);
}
