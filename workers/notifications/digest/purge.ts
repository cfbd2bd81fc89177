/** Removes what is known of mails past its retention, some at a time. */
import type { Tx } from "@tl-engine/shared";
import type { MailSettings } from "./settings.ts";

const WINDOWS = 500;
const DAY_MS = 86_400_000;

const OLD = `
  select receiver_id, due_ms from engine_notifications.mails
  where ended_at < now() - make_interval(days => $1) order by ended_at limit ${WINDOWS} for update skip locked`;
const DROP = (table: string) => `
  delete from engine_notifications.${table}
  where (receiver_id, due_ms) in (select * from unnest($1::text[], $2::bigint[]))`;
// A window that was opened for what came again, and was there already.
const EMPTY = `
  delete from engine_notifications.mail_windows w where closed_at is null and due_ms < $1
    and not exists (select from engine_notifications.mail_entries e
      where e.receiver_id = w.receiver_id and e.due_ms = w.due_ms)`;

/** @returns true while there may be more. */
export async function purgeMails(tx: Tx, settings: MailSettings): Promise<true | undefined> {
  const days = settings.NOTIFICATIONS_MAIL_RETENTION_DAYS;
  const { rows } = await tx.query<{ receiver_id: string; due_ms: string }>(OLD, [days]);
  const keys = [rows.map((row) => row.receiver_id), rows.map((row) => row.due_ms)];
  if (rows.length > 0)
    for (const table of ["mail_entries", "mail_windows", "mails"])
      await tx.query(DROP(table), keys);
  await tx.query(EMPTY, [Date.now() - days * DAY_MS]);
  return rows.length === WINDOWS ? true : undefined;
}
