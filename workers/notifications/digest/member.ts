/** What the mail must know of a person: where, when and in which language; or why they get none. */
import type { Tx } from "@tl-engine/shared";
import { isAddress } from "./address.ts";
import type { Rhythm } from "./windows.ts";

export interface Member extends Rhythm {
  address: string;
  locale: string | null;
}

/** Why somebody gets no mail. */
export type NoMail = "unknown" | "inactive" | "off" | "unsubscribed" | "stopped" | "bad_address";

export interface MemberRow {
  id: string;
  address: string | null;
  locale: string | null;
  time_zone: string | null;
  window_minutes: number | null;
  quiet_from: number | null;
  quiet_to: number | null;
  active: boolean;
  level: string | null;
  unsubscribed: boolean;
  stopped: boolean;
}

/** A {@link MemberRow} of each member. */
export const MEMBERS = `
  select m.id, m.address, m.locale, m.time_zone, m.window_minutes, m.quiet_from, m.quiet_to, m.active, m.level,
    exists (select from engine_notifications.mail_stops s
      where s.kind = 'receiver' and s.value = m.id and s.is_stopped) unsubscribed,
    exists (select from engine_notifications.mail_stops s
      where s.kind = 'address' and s.value = lower(m.address) and s.is_stopped) stopped
  from engine_notifications.members m`;

const DEFAULT_WINDOW_MINUTES = 5;

/** Those of the receivers who get mail. */
export async function readMembers(
  db: Pick<Tx, "query">,
  receiverIds: readonly string[],
): Promise<Map<string, Member>> {
  const { rows } = await db.query<MemberRow>(`${MEMBERS} where m.id = any($1::text[])`, [
    receiverIds,
  ]);
  const members = new Map<string, Member>();
  for (const row of rows) {
    const member = memberOf(row);
    if (typeof member !== "string") members.set(row.id, member);
  }
  return members;
}

/** Who gets mail and how, or why not. */
export function memberOf(row: MemberRow | null): Member | NoMail {
  if (row === null) return "unknown";
  if (!row.active) return "inactive";
  if (row.level === "off") return "off";
  if (row.unsubscribed) return "unsubscribed";
  if (row.stopped) return "stopped";
  if (row.address === null || !isAddress(row.address)) return "bad_address";
  const { quiet_from: from, quiet_to: to } = row;
  return {
    address: row.address,
    locale: row.locale,
    timeZone: row.time_zone ?? "UTC",
    windowMinutes: row.window_minutes ?? DEFAULT_WINDOW_MINUTES,
    quiet: from === null || to === null ? undefined : { from, to },
  };
}
