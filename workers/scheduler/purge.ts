/** Takes from the history of slots what is past its age, a batch at a time. */
import type { BackgroundContext, Tx } from "@tl-engine/shared";

const DAY_MS = 86_400_000;
const PURGE_EVERY_MS = 600_000;
/** While there is more. */
const PURGE_AGAIN_MS = 5_000;
const AT_ONCE = 5_000;
/** Of intervals shorter than a minute, which make more rows a day than all others in a month. */
const SHORT_DAYS = 1;
/**
 * Read from the text: Postgres' operators on JSON fail at a NUL anywhere in it, and one schedule's input would keep all
 * history. What else in an input looks like it shortens that schedule's own history alone.
 */
const EVERY_S = `substring(spec::text from '"everySeconds":([0-9]{1,8})')::int`;
const PURGE = `
  delete from engine_scheduler.slots where ctid = any (array(
    select ctid from engine_scheduler.slots s where decided_ms < $1 or (decided_ms < $2 and schedule in (
      select name from engine_scheduler.schedules where ${EVERY_S} < 60))
    limit ${AT_ONCE} for update skip locked))`;

/** @returns whether there may be more. */
export async function purgeHistory(db: Tx, days: number, nowMs: number): Promise<boolean> {
  const beforeMs = (age: number) => Math.floor(nowMs - age * DAY_MS);
  const bounds = [beforeMs(days), beforeMs(Math.min(days, SHORT_DAYS))];
  const { rowCount } = await db.query(PURGE, bounds);
  return rowCount === AT_ONCE;
}

/** Only while something goes on anyway, so that Postgres may sleep. What it throws harms nothing. */
export function purgeNowAndThen(
  { db, log }: Pick<BackgroundContext, "db" | "log">,
  days: number,
): () => void {
  let nextMs = 0;
  return () => {
    if (performance.now() < nextMs) return;
    nextMs = performance.now() + PURGE_EVERY_MS;
    purgeHistory(db, days, Date.now()).then(
      (isMore) => {
        if (isMore) nextMs = performance.now() + PURGE_AGAIN_MS;
      },
      (error) => log.warn({ err: error }, "scheduler: old history could not be purged"),
    );
  };
}
