/** Keeps what callers say of persons, and of who follows what; of two that come in any order the later counts. */
import type { Tx } from "@tl-engine/shared";
import type { z } from "zod";
import type { MembersInput, PreferencesInput, SubscriptionsInput } from "../schemas/members.ts";
import { type Follower, keepFollowers } from "./followers.ts";

const PUT_MEMBERS = `
  insert into engine_notifications.members as m (id, workspace_id, name, address, locale, time_zone, active, put_ms)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bool[], $8::bigint[])
    p(id, workspace_id, name, address, locale, time_zone, active, put_ms) order by 1
  on conflict (id) do update set workspace_id = excluded.workspace_id, name = excluded.name, address = excluded.address,
    locale = excluded.locale, time_zone = excluded.time_zone, active = excluded.active, put_ms = excluded.put_ms
  where (excluded.put_ms, excluded.active::int, coalesce(excluded.address, ''), coalesce(excluded.name, ''),
         coalesce(excluded.locale, ''), coalesce(excluded.time_zone, ''))
      > (m.put_ms, m.active::int, coalesce(m.address, ''), coalesce(m.name, ''),
         coalesce(m.locale, ''), coalesce(m.time_zone, ''))`;
// Who is no longer there is forgotten: what was known of them must not depend on what came first.
const REMOVE_MEMBERS = `
  insert into engine_notifications.members as m (id, workspace_id, active, put_ms)
  select id, $2, false, put_ms from unnest($1::text[], $3::bigint[]) p(id, put_ms) order by 1
  on conflict (id) do update set active = false, put_ms = excluded.put_ms,
    name = null, address = null, locale = null, time_zone = null
  where excluded.put_ms > m.put_ms`;
const MEMBERSHIPS = `
  insert into engine_notifications.memberships as m (project_id, member_id, workspace_id, is_on, at_ms)
  select $1, id, $2, is_on, at_ms from unnest($3::text[], $4::bool[], $5::bigint[]) p(id, is_on, at_ms) order by 2
  on conflict (project_id, member_id) do update
    set is_on = excluded.is_on, at_ms = excluded.at_ms, workspace_id = excluded.workspace_id
  where (excluded.at_ms, excluded.is_on::int) > (m.at_ms, m.is_on::int)`;

export type Members = z.output<typeof MembersInput>;

/** @returns how many were new, or newer. */
export async function keepMembers(tx: Tx, input: Members): Promise<number> {
  const { workspaceId, projectId } = input;
  let kept = 0;
  for (const put of rounds(input.put, ({ id }) => id)) {
    const column = <Key extends keyof (typeof put)[number]>(key: Key) =>
      put.map((person) => person[key] ?? null);
    const { rowCount } = await tx.query(PUT_MEMBERS, [
      ...[column("id"), put.map(() => workspaceId), column("name"), column("address")],
      ...[column("locale"), column("timeZone"), column("active"), put.map(msOf)],
    ]);
    kept += rowCount ?? 0;
  }
  const put = latestOf(input.put);
  const remove = latestOf(input.remove);
  if (projectId != null) {
    // Who is there counts before who left at the same instant.
    const all = [
      ...put.map((person) => ({ id: person.id, isOn: true, ms: msOf(person) })),
      ...remove.map((person) => ({ id: person.id, isOn: false, ms: msOf(person) })),
    ].toSorted((a, b) => b.ms - a.ms || Number(b.isOn) - Number(a.isOn));
    const rows = [...new Map(all.toReversed().map((row) => [row.id, row])).values()];
    const { rowCount } = await tx.query(MEMBERSHIPS, [
      ...[projectId, workspaceId, rows.map(({ id }) => id)],
      ...[rows.map(({ isOn }) => isOn), rows.map(({ ms }) => ms)],
    ]);
    kept += rowCount ?? 0;
  } else if (remove.length > 0) {
    const ids = remove.map(({ id }) => id);
    const { rowCount } = await tx.query(REMOVE_MEMBERS, [ids, workspaceId, remove.map(msOf)]);
    kept += rowCount ?? 0;
  }
  return kept;
}

const PREFERENCES = `
  insert into engine_notifications.members as m
    (id, workspace_id, window_minutes, quiet_from, quiet_to, level, switches, preferences_ms)
  values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8)
  on conflict (id) do update set window_minutes = excluded.window_minutes, quiet_from = excluded.quiet_from,
    quiet_to = excluded.quiet_to, level = excluded.level, switches = excluded.switches,
    preferences_ms = excluded.preferences_ms
  where (excluded.preferences_ms, excluded.level, excluded.switches::text, coalesce(excluded.window_minutes, 0),
         coalesce(excluded.quiet_from, -1), coalesce(excluded.quiet_to, -1))
      > (m.preferences_ms, coalesce(m.level, ''), coalesce(m.switches::text, ''), coalesce(m.window_minutes, 0),
         coalesce(m.quiet_from, -1), coalesce(m.quiet_to, -1))`;

/** They may come before the person is known. */
export async function keepPreferences(
  tx: Tx,
  input: z.output<typeof PreferencesInput>,
): Promise<number> {
  const { rowCount } = await tx.query(PREFERENCES, [
    ...[input.memberId, input.workspaceId, input.windowMinutes ?? null],
    ...[input.quietFrom ?? null, input.quietTo ?? null, input.level],
    ...[JSON.stringify(input.switches), msOf(input)],
  ]);
  return rowCount ?? 0;
}

// One statement for each column that has a time of its own would be a round trip more: greatest() and case do it in one.
const UPSERT_ITEMS = `
  insert into engine_notifications.items as i
    (issue_id, workspace_id, key, created_by, put_ms, name, name_ms, subscribers_ms, assignees_ms)
  select issue_id, $2, key, created_by, put_ms, name, case when name is null then 0 else put_ms end,
    subscribers_ms, assignees_ms
  from unnest($1::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[])
    p(issue_id, key, created_by, put_ms, name, subscribers_ms, assignees_ms) order by 1
  on conflict (issue_id) do update set
    key = case when excluded.put_ms > i.put_ms
        or excluded.put_ms = i.put_ms and coalesce(excluded.key, '') > coalesce(i.key, '') then excluded.key else i.key end,
    created_by = case when excluded.put_ms > i.put_ms
        or excluded.put_ms = i.put_ms and coalesce(excluded.created_by, '') > coalesce(i.created_by, '')
      then excluded.created_by else i.created_by end,
    put_ms = greatest(i.put_ms, excluded.put_ms),
    name = case when excluded.name_ms > i.name_ms
        or excluded.name_ms = i.name_ms and excluded.name > coalesce(i.name, '') then excluded.name else i.name end,
    name_ms = greatest(i.name_ms, excluded.name_ms),
    subscribers_ms = greatest(i.subscribers_ms, excluded.subscribers_ms),
    assignees_ms = greatest(i.assignees_ms, excluded.assignees_ms)`;

type Subscriptions = z.output<typeof SubscriptionsInput>;

export async function keepSubscriptions(tx: Tx, input: Subscriptions): Promise<number> {
  const { workspaceId } = input;
  const followers: Follower[] = [];
  for (const item of input.put) {
    const atMs = msOf(item);
    const add = (role: Follower["role"], ids: readonly string[] = []) => {
      for (const memberId of ids)
        followers.push({ issueId: item.issueId, role, memberId, isOn: true, atMs });
    };
    add("subscriber", item.subscribers);
    add("assignee", item.assignees);
  }
  const emptied: { issueId: string; atMs: number }[] = [];
  for (const { issueId, memberId, ...at } of input.remove) {
    if (memberId === undefined) emptied.push({ issueId, atMs: msOf(at) });
    else followers.push({ issueId, role: "subscriber", memberId, isOn: false, atMs: msOf(at) });
  }
  for (const put of rounds(input.put, ({ issueId }) => issueId))
    await tx.query(UPSERT_ITEMS, [
      ...[put.map(({ issueId }) => issueId), workspaceId, put.map(({ key }) => key ?? null)],
      ...[put.map(({ createdBy }) => createdBy ?? null), put.map(msOf)],
      put.map(({ name }) => name ?? null),
      put.map((item) => (item.subscribers === undefined ? 0 : msOf(item))),
      put.map((item) => (item.assignees === undefined ? 0 : msOf(item))),
    ]);
  if (emptied.length > 0) await forget(tx, workspaceId, emptied);
  const kept = await keepFollowers(tx, workspaceId, followers);
  return kept + input.put.length + emptied.length;
}

// Those of the very instant go as well, so the next millisecond is the first that counts.
const FORGET = `
  insert into engine_notifications.items as i (issue_id, workspace_id, subscribers_ms, assignees_ms)
  select issue_id, $2, at_ms + 1, at_ms + 1 from unnest($1::text[], $3::bigint[]) p(issue_id, at_ms) order by 1
  on conflict (issue_id) do update set
    subscribers_ms = greatest(i.subscribers_ms, excluded.subscribers_ms),
    assignees_ms = greatest(i.assignees_ms, excluded.assignees_ms)`;

async function forget(
  tx: Tx,
  workspaceId: string,
  emptied: readonly { issueId: string; atMs: number }[],
): Promise<void> {
  const latest = new Map<string, number>();
  for (const { issueId, atMs } of emptied)
    latest.set(issueId, Math.max(atMs, latest.get(issueId) ?? 0));
  await tx.query(FORGET, [[...latest.keys()], workspaceId, [...latest.values()]]);
}

const msOf = ({ updatedAt }: { updatedAt: string }) => Math.max(0, Date.parse(updatedAt));

/** Each id once, as it became last. */
function latestOf<Row extends { id: string; updatedAt: string }>(rows: readonly Row[]): Row[] {
  const latest = new Map<string, Row>();
  for (const row of rows) {
    const known = latest.get(row.id);
    if (known === undefined || msOf(row) >= msOf(known)) latest.set(row.id, row);
  }
  return [...latest.values()];
}

/** Lists that have no key twice, which a statement may not meet: the n-th has what came for the n-th time. */
function rounds<Row>(rows: readonly Row[], keyOf: (row: Row) => string): Row[][] {
  const counts = new Map<string, number>();
  const lists: Row[][] = [];
  for (const row of rows) {
    const count = counts.get(keyOf(row)) ?? 0;
    counts.set(keyOf(row), count + 1);
    const list = lists[count] ?? [];
    list.push(row);
    lists[count] = list;
  }
  return lists;
}
