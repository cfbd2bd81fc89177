/** What is kept of policies and items, so that facts may come twice, late and in any order. */
import type { Batch } from "@tl-engine/shared";
import { type CompiledPolicy, compilePolicy, type ItemHistory } from "./clock.ts";
import { type PoliciesInput, type Priority, SLA_CEILINGS, SlaPolicy } from "./schemas.ts";

type Tx = Batch["tx"];

const PUT_POLICIES = `
  insert into engine_automations.sla_policies as p (project_id, policy_id, workspace_id, policy, updated_ms)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    t(project_id, policy_id, workspace_id, policy, updated_ms) order by 1, 2
  on conflict (project_id, policy_id) do update
    set policy = excluded.policy, updated_ms = excluded.updated_ms, workspace_id = excluded.workspace_id
  where (excluded.updated_ms, coalesce(excluded.policy, '') collate "C")
    > (p.updated_ms, coalesce(p.policy, '') collate "C")
  returning project_id "projectId", policy_id "policyId"`;

interface PolicyRow {
  projectId: string;
  policyId: string;
  workspaceId: string;
  /** JSON; null is removed. */
  policy: string | null;
  ms: number;
}

/**
 * In one statement, in the order of the keys: two workers wait for each other and don't deadlock.
 * @returns how many were new, or newer than what was known; of each job.
 */
export async function keepPolicies(tx: Tx, jobs: readonly PoliciesInput[]): Promise<number[]> {
  const rowsOfJobs = jobs.map(policyRows);
  const latest = new Map<string, PolicyRow>();
  for (const row of rowsOfJobs.flat()) {
    const key = policyKey(row);
    const known = latest.get(key);
    if (known === undefined || isLater(row, known)) latest.set(key, row);
  }
  const rows = [...latest.values()];
  if (rows.length === 0) return jobs.map(() => 0);
  const stored = await tx.query<{ projectId: string; policyId: string }>(PUT_POLICIES, [
    ...[rows.map(({ projectId }) => projectId), rows.map(({ policyId }) => policyId)],
    ...[rows.map(({ workspaceId }) => workspaceId), rows.map(({ policy }) => policy)],
    rows.map(({ ms }) => ms),
  ]);
  // A row that comes twice in a batch is the first job's.
  const fresh = new Set(stored.rows.map((row) => latest.get(policyKey(row)) as PolicyRow));
  return rowsOfJobs.map((own) => own.filter((row) => fresh.has(row)).length);
}

function policyRows({ workspaceId, projectId, put, remove }: PoliciesInput): PolicyRow[] {
  const row = (policyId: string, updatedAt: string, policy: string | null) => ({
    ...{ projectId, policyId, workspaceId, policy },
    ms: Math.max(0, Date.parse(updatedAt)),
  });
  return [
    ...put.map(({ id, policy, updatedAt }) => row(id, updatedAt, JSON.stringify(policy))),
    ...remove.map(({ id, updatedAt }) => row(id, updatedAt, null)),
  ];
}

const policyKey = ({ projectId, policyId }: Pick<PolicyRow, "projectId" | "policyId">) =>
  `${projectId}\0${policyId}`;
const isLater = (a: PolicyRow, b: PolicyRow) =>
  a.ms > b.ms || (a.ms === b.ms && (a.policy ?? "") > (b.policy ?? ""));

const POLICIES = `
  select project_id "projectId", policy_id "policyId", policy from engine_automations.sla_policies
  where project_id = any($1::text[]) and policy is not null order by project_id, policy_id`;

export interface KeptPolicy {
  id: string;
  compiled: CompiledPolicy;
}

/** By project; those without any are left out. */
export async function readPolicies(
  tx: Tx,
  projectIds: readonly string[],
): Promise<Map<string, KeptPolicy[]>> {
  const { rows } = await tx.query<{ projectId: string; policyId: string; policy: string }>(
    POLICIES,
    [[...new Set(projectIds)]],
  );
  const policies = new Map<string, KeptPolicy[]>();
  for (const { projectId, policyId, policy } of rows) {
    const { success, data } = SlaPolicy.safeParse(JSON.parse(policy));
    if (!success) continue;
    const known = policies.get(projectId) ?? [];
    if (known.length < SLA_CEILINGS.policiesPerProject)
      known.push({ id: policyId, compiled: compilePolicy(data) });
    policies.set(projectId, known);
  }
  return policies;
}

/** What is told of an item; undefined is not known. */
export interface ToldItem {
  workspaceId: string;
  projectId: string;
  itemId: string;
  createdMs: number;
  priority?: { value: Priority; atMs: number } | undefined;
  deletedMs?: number | undefined;
  changes: readonly { atMs: number; state: string }[];
}

export const itemKey = ({ projectId, itemId }: { projectId: string; itemId: string }) =>
  `${projectId}\0${itemId}`;

const KEEP_ITEMS = `
  insert into engine_automations.sla_items as i
    (project_id, item_id, workspace_id, created_ms, priority, priority_ms, deleted_ms)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[])
    t(project_id, item_id, workspace_id, created_ms, priority, priority_ms, deleted_ms) order by 1, 2
  on conflict (project_id, item_id) do update set
    created_ms = least(i.created_ms, excluded.created_ms),
    priority = case when (excluded.priority_ms, excluded.priority) > (i.priority_ms, i.priority)
      then excluded.priority else i.priority end,
    priority_ms = greatest(i.priority_ms, excluded.priority_ms),
    deleted_ms = greatest(i.deleted_ms, excluded.deleted_ms)`;
const KEEP_CHANGES = `
  insert into engine_automations.sla_changes (project_id, item_id, at_ms, state, workspace_id)
  select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[]) order by 1, 2, 3, 4
  on conflict do nothing`;

export async function keepItems(tx: Tx, told: readonly ToldItem[]): Promise<void> {
  const items = [...mergedByItem(told).values()];
  if (items.length === 0) return;
  const column = <Value>(value: (item: ToldItem) => Value) => items.map(value);
  await tx.query(KEEP_ITEMS, [
    ...[column((item) => item.projectId), column((item) => item.itemId)],
    ...[column((item) => item.workspaceId), column((item) => Math.round(item.createdMs))],
    ...[column((item) => item.priority?.value ?? "none")],
    ...[column((item) => Math.max(0, Math.round(item.priority?.atMs ?? 0)))],
    column((item) => Math.max(0, Math.round(item.deletedMs ?? 0))),
  ]);
  const changes = items.flatMap((item) => item.changes.map((change) => ({ ...item, ...change })));
  if (changes.length === 0) return;
  await tx.query(KEEP_CHANGES, [
    ...[changes.map(({ projectId }) => projectId), changes.map(({ itemId }) => itemId)],
    ...[changes.map(({ atMs }) => Math.round(atMs)), changes.map(({ state }) => state)],
    changes.map(({ workspaceId }) => workspaceId),
  ]);
}

/** A statement may not meet a row twice. */
function mergedByItem(told: readonly ToldItem[]): Map<string, ToldItem> {
  const items = new Map<string, ToldItem>();
  for (const item of told) {
    const known = items.get(itemKey(item));
    items.set(itemKey(item), known === undefined ? item : merge(known, item));
  }
  return items;
}

function merge(a: ToldItem, b: ToldItem): ToldItem {
  const isLater =
    b.priority !== undefined &&
    (a.priority === undefined ||
      b.priority.atMs > a.priority.atMs ||
      (b.priority.atMs === a.priority.atMs && b.priority.value > a.priority.value));
  return {
    ...a,
    createdMs: Math.min(a.createdMs, b.createdMs),
    priority: isLater ? b.priority : a.priority,
    deletedMs: Math.max(a.deletedMs ?? 0, b.deletedMs ?? 0),
    changes: [...a.changes, ...b.changes],
  };
}

export interface KeptItem {
  workspaceId: string;
  projectId: string;
  itemId: string;
  history: ItemHistory;
}

// Locked, in one order: who tells of an item's deadlines is alone with it.
const HOLD = `
  select project_id "projectId", item_id "itemId", workspace_id "workspaceId", created_ms::float8 "createdMs", priority
  from engine_automations.sla_items
  where (project_id, item_id) in (select * from unnest($1::text[], $2::text[])) and deleted_ms = 0
  order by 1, 2 for update`;
const CHANGES = `
  select project_id "projectId", item_id "itemId", at_ms::float8 "atMs", state
  from engine_automations.sla_changes
  where (project_id, item_id) in (select * from unnest($1::text[], $2::text[]))`;

/** Those that are known and not deleted. */
export async function holdSlaItems(
  tx: Tx,
  asked: readonly { projectId: string; itemId: string }[],
): Promise<KeptItem[]> {
  const keys = [...new Map(asked.map((item) => [itemKey(item), item])).values()];
  if (keys.length === 0) return [];
  const ids = [keys.map(({ projectId }) => projectId), keys.map(({ itemId }) => itemId)];
  const { rows } = await tx.query<{
    projectId: string;
    itemId: string;
    workspaceId: string;
    createdMs: number;
    priority: Priority;
  }>(HOLD, ids);
  const changes = await tx.query<{
    projectId: string;
    itemId: string;
    atMs: number;
    state: string;
  }>(CHANGES, ids);
  const byItem = Map.groupBy(changes.rows, itemKey);
  return rows.map(({ createdMs, priority, ...item }) => ({
    ...item,
    history: { createdMs, priority, changes: byItem.get(itemKey(item)) ?? [] },
  }));
}

const TELL = `
  insert into engine_automations.sla_told (project_id, item_id, policy_id, what, workspace_id)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) order by 1, 2, 3, 4
  on conflict do nothing returning project_id "projectId", item_id "itemId", policy_id "policyId", what`;

export interface Telling {
  workspaceId: string;
  projectId: string;
  itemId: string;
  policyId: string;
  what: string;
}

export const tellingKey = ({ projectId, itemId, policyId, what }: Omit<Telling, "workspaceId">) =>
  [projectId, itemId, policyId, what].join("\0");

/** Keys of those that were not told before. */
export async function markTold(tx: Tx, tellings: readonly Telling[]): Promise<Set<string>> {
  if (tellings.length === 0) return new Set();
  const { rows } = await tx.query<Omit<Telling, "workspaceId">>(TELL, [
    ...[tellings.map(({ projectId }) => projectId), tellings.map(({ itemId }) => itemId)],
    ...[tellings.map(({ policyId }) => policyId), tellings.map(({ what }) => what)],
    tellings.map(({ workspaceId }) => workspaceId),
  ]);
  return new Set(rows.map(tellingKey));
}
