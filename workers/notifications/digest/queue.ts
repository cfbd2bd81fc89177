/** Puts what is to be mailed into its receiver's window, and says which timers that needs. */
import type { Tx } from "@tl-engine/shared";
import { type MailEntry, shorten } from "./entry.ts";
import { type Member, readMembers } from "./member.ts";
import type { MailSettings } from "./settings.ts";
import { type DigestTimer, digestJobId } from "./timer.ts";
import { dueAt } from "./windows.ts";

/** A window whose timer has not run by then gets another one. */
const OVERDUE_MS = 3_600_000;
/** Clocks differ by seconds, so the window after a closed one is open; more than a few are a clock that stands still. */
const MAX_CLOSED = 10;

interface Placed {
  entry: MailEntry;
  dueMs: number;
}

const FRESH = `
  select u.receiver_id, u.activity_id from unnest($1::text[], $2::text[]) u(receiver_id, activity_id)
  where not exists (select from engine_notifications.mail_entries e
    where e.receiver_id = u.receiver_id and e.activity_id = u.activity_id)`;
const OPEN = `
  insert into engine_notifications.mail_windows (receiver_id, due_ms, workspace_id)
  select * from unnest($1::text[], $2::bigint[], $3::text[]) order by 1, 2
  on conflict do nothing returning receiver_id, due_ms::float8 due_ms`;
// It keeps them from being closed until what is put into them is committed; others may put something in as well.
const HOLD = `
  select receiver_id, due_ms::float8 due_ms, closed_at is not null is_closed from engine_notifications.mail_windows
  where (receiver_id, due_ms) in (select * from unnest($1::text[], $2::bigint[]))
  order by receiver_id, due_ms for share`;
const ADD = `
  insert into engine_notifications.mail_entries (receiver_id, activity_id, due_ms, workspace_id, at_ms, entry)
  select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::jsonb[]) order by 1, 2
  on conflict do nothing`;
const OVERDUE = `
  select receiver_id, due_ms::float8 due_ms from engine_notifications.mail_windows
  where closed_at is null and receiver_id = any($1::text[]) and due_ms < $2`;

/**
 * Adds entries, each once per receiver and activity, to be mailed at the end of the window that `nowMs` is in. Without
 * a mail server it keeps none, so that nobody gets a month's mail on the day that one is configured. Who is unknown,
 * inactive or without an address gets none either.
 * @returns the timers to set before the transaction commits: of windows that it opened, and of those that should
 *   have been mailed long ago.
 */
export async function queueMail(
  tx: Tx,
  entries: readonly MailEntry[],
  settings: MailSettings,
  nowMs = Date.now(),
): Promise<DigestTimer[]> {
  if (settings.NOTIFICATIONS_SMTP_URL === undefined) return [];
  const fresh = await withoutKnown(tx, entries);
  if (fresh.length === 0) return [];
  const receivers = [...new Set(fresh.map(({ receiverId }) => receiverId))];
  const members = await readMembers(tx, receivers);
  const placed = fresh.flatMap((entry): Placed[] => {
    const member = members.get(entry.receiverId);
    return member === undefined ? [] : [{ entry, dueMs: dueAt(member, nowMs) }];
  });
  if (placed.length === 0) return [];
  const opened = await enterWindows(tx, placed, members);
  await addEntries(tx, placed);
  const { rows: overdue } = await tx.query<WindowRow>(OVERDUE, [receivers, nowMs - OVERDUE_MS]);
  const again = overdue.map((row) => timerOf(row, `again-${Math.floor(nowMs / OVERDUE_MS)}`));
  return [...opened.map((row) => timerOf(row)), ...again];
}

interface WindowRow {
  receiver_id: string;
  due_ms: number;
}

function timerOf(
  { receiver_id: receiverId, due_ms: window }: WindowRow,
  more?: string,
): DigestTimer {
  const id = digestJobId(receiverId, window, more);
  // One that is overdue runs at once.
  return { id, runAt: new Date(window), input: { receiverId, window } };
}

const keyOf = (receiverId: string, other: string | number) => `${receiverId}\0${other}`;

async function withoutKnown(tx: Tx, entries: readonly MailEntry[]): Promise<MailEntry[]> {
  const distinct = new Map(
    entries.toReversed().map((entry) => [keyOf(entry.receiverId, entry.activityId), entry]),
  );
  const { rows } = await tx.query<{ receiver_id: string; activity_id: string }>(FRESH, [
    [...distinct.values()].map(({ receiverId }) => receiverId),
    [...distinct.values()].map(({ activityId }) => activityId),
  ]);
  return rows.flatMap((row) => distinct.get(keyOf(row.receiver_id, row.activity_id)) ?? []);
}

/** Opens the windows of what is placed, and moves what is placed in a closed one to the next. */
async function enterWindows(
  tx: Tx,
  placed: Placed[],
  members: ReadonlyMap<string, Member>,
): Promise<WindowRow[]> {
  const opened: WindowRow[] = [];
  let entering = placed;
  for (let round = 0; entering.length > 0; round++) {
    if (round > MAX_CLOSED)
      throw new Error("every window is closed: does this worker's clock run?");
    const windows = distinctWindows(entering);
    const keys = [windows.map(({ entry }) => entry.receiverId), windows.map(({ dueMs }) => dueMs)];
    const workspaces = windows.map(({ entry }) => entry.workspaceId);
    const { rows: made } = await tx.query<WindowRow>(OPEN, [...keys, workspaces]);
    opened.push(...made);
    const { rows } = await tx.query<WindowRow & { is_closed: boolean }>(HOLD, keys);
    const closed = new Set(
      rows.filter((row) => row.is_closed).map((row) => keyOf(row.receiver_id, row.due_ms)),
    );
    entering = entering.filter(({ entry, dueMs }) => closed.has(keyOf(entry.receiverId, dueMs)));
    for (const late of entering)
      late.dueMs = dueAt(members.get(late.entry.receiverId) as Member, late.dueMs);
  }
  return opened;
}

function distinctWindows(placed: Placed[]): Placed[] {
  const windows = new Map(placed.map((it) => [keyOf(it.entry.receiverId, it.dueMs), it]));
  return [...windows.values()];
}

async function addEntries(tx: Tx, placed: Placed[]): Promise<void> {
  const column = <Value>(of: (placed: Placed) => Value) => placed.map(of);
  // A comment of two million characters that thousands are told of is shortened once.
  const shown = new Map<string, MailEntry>();
  const shownOf = ({ receiverId, reason, ...entry }: MailEntry) => {
    const key = JSON.stringify([entry.activityId, entry.issueId, entry.issueName, entry.issueKey]);
    const short = shown.get(key) ?? shorten({ receiverId, reason, ...entry });
    shown.set(key, short);
    return { ...short, receiverId, reason };
  };
  await tx.query(ADD, [
    column(({ entry }) => entry.receiverId),
    column(({ entry }) => entry.activityId),
    column(({ dueMs }) => dueMs),
    column(({ entry }) => entry.workspaceId),
    column(({ entry }) => Math.trunc(entry.at)),
    column(({ entry }) => JSON.stringify(shownOf(entry))),
  ]);
}
