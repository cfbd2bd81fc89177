/** Closes a window and fixes its mail's bytes before the first attempt, so that every attempt sends the same. */
import type { Tx } from "@tl-engine/shared";
import { composeDigest } from "./compose.ts";
import type { MailEntry } from "./entry.ts";
import { readMember } from "./member.ts";
import type { MailSettings } from "./settings.ts";

/** A window, by its receiver and its end in epoch milliseconds. */
export interface Window {
  receiverId: string;
  dueMs: number;
}

const CLOSE = `update engine_notifications.mail_windows set closed_at = now()
  where receiver_id = $1 and due_ms = $2 and closed_at is null`;
const READ = `
  select w.workspace_id, m.state,
    (select json_agg(e.entry order by e.at_ms, e.activity_id) from engine_notifications.mail_entries e
      where m.state is null and e.receiver_id = w.receiver_id and e.due_ms = w.due_ms) entries
  from engine_notifications.mail_windows w
  left join engine_notifications.mails m using (receiver_id, due_ms)
  where w.receiver_id = $1 and w.due_ms = $2`;
const FREEZE = `
  insert into engine_notifications.mails
    (receiver_id, due_ms, workspace_id, state, reason, address, message_id, message, ended_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, case when $4 = 'frozen' then null else now() end)
  on conflict do nothing`;

interface Row {
  workspace_id: string;
  state: string | null;
  entries: MailEntry[] | null;
}

/**
 * Each statement commits by itself: what is frozen stays so, whatever becomes of the attempt. Closing waits for those
 * that are putting something in; reading comes after it, and so finds all there is. Of two that freeze at once the
 * first one's mail is the mail.
 * @returns whether there is a mail for the window, in whatever state.
 */
export async function freeze(
  db: Pick<Tx, "query">,
  window: Window,
  settings: MailSettings,
): Promise<boolean> {
  const key = [window.receiverId, window.dueMs];
  await db.query(CLOSE, key);
  const { rows } = await db.query<Row>(READ, key);
  const [row] = rows;
  if (row === undefined) return false;
  if (row.state !== null) return true;
  if (row.entries === null) return false;
  const values = await frozenValues(db, window, row.entries, settings);
  await db.query(FREEZE, [...key, row.workspace_id, ...values]);
  return true;
}

async function frozenValues(
  db: Pick<Tx, "query">,
  { receiverId, dueMs }: Window,
  entries: MailEntry[],
  settings: MailSettings,
) {
  const member = await readMember(db, receiverId);
  if (typeof member === "string") return ["skipped", member, null, null, null];
  const digest = { receiverId, dueMs, ...member, entries };
  const { messageId, message } = await composeDigest(digest, settings, Date.now());
  return ["frozen", null, member.address, messageId, message];
}

/** Whether something was ever put into it. */
export async function hasWindow(
  db: Pick<Tx, "query">,
  { receiverId, dueMs }: Window,
): Promise<boolean> {
  const { rows } = await db.query(
    "select from engine_notifications.mail_windows where receiver_id = $1 and due_ms = $2",
    [receiverId, dueMs],
  );
  return rows.length > 0;
}
