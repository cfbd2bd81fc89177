/** Who follows an item, and in which role: kept and read so that the order in which it is told makes no difference. */
import type { Tx } from "@tl-engine/shared";

export interface Follower {
  issueId: string;
  role: "subscriber" | "assignee";
  memberId: string;
  isOn: boolean;
  /** Since when, epoch milliseconds. */
  atMs: number;
}

const KEEP = `
  insert into engine_notifications.followers as f (issue_id, role, member_id, workspace_id, is_on, at_ms)
  select issue_id, role, member_id, $1, is_on, at_ms
    from unnest($2::text[], $3::text[], $4::text[], $5::bool[], $6::bigint[]) p(issue_id, role, member_id, is_on, at_ms)
    order by 1, 2, 3
  on conflict (issue_id, role, member_id) do update set is_on = excluded.is_on, at_ms = excluded.at_ms
  where (excluded.at_ms, excluded.is_on::int) > (f.at_ms, f.is_on::int)`;

/** @returns how many were new, or newer than what was known. */
export async function keepFollowers(
  tx: Tx,
  workspaceId: string,
  followers: readonly Follower[],
): Promise<number> {
  const latest = new Map<string, Follower>();
  for (const follower of followers) {
    const key = `${follower.issueId}\0${follower.role}\0${follower.memberId}`;
    const known = latest.get(key);
    if (known === undefined || isLater(follower, known)) latest.set(key, follower);
  }
  if (latest.size === 0) return 0;
  const rows = [...latest.values()];
  const { rowCount } = await tx.query(KEEP, [
    workspaceId,
    ...[rows.map(({ issueId }) => issueId), rows.map(({ role }) => role)],
    ...[rows.map(({ memberId }) => memberId), rows.map(({ isOn }) => isOn)],
    rows.map(({ atMs }) => atMs),
  ]);
  return rowCount ?? 0;
}

const isLater = (a: Follower, b: Follower) =>
  a.atMs > b.atMs || (a.atMs === b.atMs && a.isOn && !b.isOn);

export interface Followed {
  key: string | null;
  name: string | null;
  createdBy: string | null;
  subscribers: string[];
  assignees: string[];
}

const READ = `
  select i.issue_id, i.key, i.name, coalesce(i.created_by, i.creator) created_by,
    array(select f.member_id from engine_notifications.followers f where f.issue_id = i.issue_id
      and f.role = 'subscriber' and f.is_on and f.at_ms >= i.subscribers_ms order by 1) subscribers,
    array(select f.member_id from engine_notifications.followers f where f.issue_id = i.issue_id
      and f.role = 'assignee' and f.is_on and f.at_ms >= i.assignees_ms order by 1) assignees
  from engine_notifications.items i where i.issue_id = any($1::text[])`;

/** By item; those that nobody told of are left out. */
export async function readFollowed(
  tx: Tx,
  issueIds: readonly string[],
): Promise<Map<string, Followed>> {
  const { rows } = await tx.query<
    Omit<Followed, "createdBy"> & { issue_id: string; created_by: string | null }
  >(READ, [issueIds]);
  return new Map(
    rows.map(({ issue_id: issueId, created_by: createdBy, ...rest }) => [
      issueId,
      { createdBy, ...rest },
    ]),
  );
}
