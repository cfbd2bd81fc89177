/** Keeps what is known of items in Postgres: locked in one order, changed, written back. */
import type { Tx } from "@tl-engine/shared";
import { type ItemFacts, readFacts, writeFacts } from "./item-facts.ts";

export interface ItemKey {
  projectId: string;
  itemId: string;
}
/** An item in hand, which nobody else changes until the transaction ends. */
export interface HeldItem extends ItemKey {
  workspaceId: string | null;
  facts: ItemFacts;
}

const ADD = `
  insert into engine_automations.items (project_id, item_id)
  select * from unnest($1::text[], $2::text[]) on conflict do nothing`;
const HOLD = `
  select project_id "projectId", item_id "itemId", workspace_id "workspaceId", facts, deleted_at_ms::text "deletedAtMs"
  from engine_automations.items
  where (project_id, item_id) in (select * from unnest($1::text[], $2::text[]))
  order by project_id collate "C", item_id collate "C" for update`;
const WRITE = `
  update engine_automations.items kept
  set workspace_id = coalesce(told.workspace_id, kept.workspace_id), facts = told.facts, deleted_at_ms = told.deleted_at_ms
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    as told (project_id, item_id, workspace_id, facts, deleted_at_ms)
  where kept.project_id = told.project_id and kept.item_id = told.item_id`;

const ITEMS_PER_STATEMENT = 2_048;

export const itemKey = ({ projectId, itemId }: ItemKey) => JSON.stringify([projectId, itemId]);

/** Locks the items, new ones too, in the order of their keys: two workers wait for each other and don't deadlock. */
export async function holdItems(tx: Tx, keys: Iterable<ItemKey>): Promise<Map<string, HeldItem>> {
  const distinct = new Map<string, ItemKey>();
  for (const key of keys) distinct.set(itemKey(key), key);
  const ordered = [...distinct.values()].sort(byKey);
  const held = new Map<string, HeldItem>();
  for (let from = 0; from < ordered.length; from += ITEMS_PER_STATEMENT) {
    const part = ordered.slice(from, from + ITEMS_PER_STATEMENT);
    const columns = [part.map(({ projectId }) => projectId), part.map(({ itemId }) => itemId)];
    await tx.query(ADD, columns);
    const { rows } = await tx.query(HOLD, columns);
    for (const { projectId, itemId, workspaceId, facts, deletedAtMs } of rows)
      held.set(itemKey({ projectId, itemId }), {
        ...{ projectId, itemId, workspaceId },
        facts: readFacts(facts, Number(deletedAtMs)),
      });
  }
  return held;
}

export async function writeItems(tx: Tx, items: Iterable<HeldItem>): Promise<void> {
  const ordered = [...items].sort(byKey);
  for (let from = 0; from < ordered.length; from += ITEMS_PER_STATEMENT) {
    const part = ordered.slice(from, from + ITEMS_PER_STATEMENT);
    const column = (of: (item: HeldItem) => unknown) => part.map(of);
    await tx.query(WRITE, [
      column(({ projectId }) => projectId),
      column(({ itemId }) => itemId),
      column(({ workspaceId }) => workspaceId),
      column(({ facts }) => writeFacts(facts)),
      column(({ facts }) => facts.deletedAtMs),
    ]);
  }
}

const byKey = (a: ItemKey, b: ItemKey) =>
  compareTexts(a.projectId, b.projectId) || compareTexts(a.itemId, b.itemId);
const compareTexts = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Deleted items are remembered so that what comes late does not bring them back. */
const REMEMBERED_MS = 90 * 86_400_000;
const PURGED_AT_ONCE = 1_000;
const PURGE = `
  delete from engine_automations.items where (project_id, item_id) in (
    select project_id, item_id from engine_automations.items
    where deleted_at_ms > 0 and deleted_at_ms < $1 order by deleted_at_ms limit ${PURGED_AT_ONCE}
    for update skip locked)`;

/** Forgets items that were deleted 90 days ago, a thousand at a time. Returns something while there may be more. */
export async function purge(tx: Tx, nowMs = Date.now()): Promise<true | undefined> {
  const { rowCount } = await tx.query(PURGE, [nowMs - REMEMBERED_MS]);
  return rowCount === PURGED_AT_ONCE || undefined;
}
