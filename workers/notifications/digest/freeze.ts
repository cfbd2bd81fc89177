/** Closes a window and fixes its mail's bytes before the first attempt, so that every attempt sends the same. */
import type { Tx } from "@tl-engine/shared";
import { composeDigest } from "./compose.ts";
import type { MailEntry } from "./entry.ts";
import { MEMBERS, type Member, type MemberRow, memberOf, type NoMail } from "./member.ts";
import type { MailSettings } from "./settings.ts";

/** A window, by its receiver and its end in epoch milliseconds. */
export interface Window {
  receiverId: string;
  dueMs: number;
}

const CLOSE = `update engine_notifications.mail_windows set closed_at = now()
  where receiver_id = $1 and due_ms = $2 and closed_at is null`;
const READ = `
  select w.workspace_id, mail.state,
    (select to_json(p) from (${MEMBERS} where m.id = w.receiver_id) p) member,
    (select json_agg(e.entry order by e.at_ms, e.activity_id) from engine_notifications.mail_entries e
      where mail.state is null and e.receiver_id = w.receiver_id and e.due_ms = w.due_ms) entries
  from engine_notifications.mail_windows w
  left join engine_notifications.mails mail using (receiver_id, due_ms)
  where w.receiver_id = $1 and w.due_ms = $2`;
const FREEZE = `
  insert into engine_notifications.mails
    (receiver_id, due_ms, workspace_id, state, reason, address, message_id, message, ended_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, case when $4 = 'frozen' then null else now() end)
  on conflict do nothing`;

interface Row {
  workspace_id: string;
  state: string | null;
  member: MemberRow | null;
  entries: MailEntry[] | null;
}

/**
 * Each statement commits by itself: what is frozen stays so, whatever becomes of the attempt. Closing waits for those
 * that are putting something in; reading comes after it, and so finds all there is. Of two that freeze at once the
 * first one's mail is the mail.
 * @returns undefined where there is no mail for the window, in whatever state; its bytes where this call froze it.
 */
export async function freeze(
  db: Pick<Tx, "query">,
  window: Window,
  settings: MailSettings,
): Promise<{ message: Buffer | undefined } | undefined> {
  const key = [window.receiverId, window.dueMs];
  await db.query(CLOSE, key);
  const { rows } = await db.query<Row>(READ, key);
  const [row] = rows;
  if (row?.state != null) return { message: undefined };
  if (row?.entries == null) return undefined;
  const frozen = await frozenMail(window, row.entries, memberOf(row.member), settings);
  const { state, reason, address, messageId, message } = frozen;
  const values = [...key, row.workspace_id, state, reason, address, messageId, message];
  const { rowCount } = await db.query(FREEZE, values);
  return { message: rowCount === 1 && message !== null ? message : undefined };
}

async function frozenMail(
  { receiverId, dueMs }: Window,
  entries: MailEntry[],
  member: Member | NoMail,
  settings: MailSettings,
) {
  if (typeof member === "string")
    return { state: "skipped", reason: member, address: null, messageId: null, message: null };
  const digest = { receiverId, dueMs, ...member, entries };
  const mail = await composeDigest(digest, settings, Date.now());
  return { state: "frozen", reason: null, address: member.address, ...mail };
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
