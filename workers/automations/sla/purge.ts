/** Forgets the clocks of items that were deleted long ago. */
import type { Tx } from "@tl-engine/shared";

/** As long as deleted items are remembered at all, so that what comes late does not bring them back. */
const REMEMBERED_MS = 90 * 86_400_000;
const PURGED_AT_ONCE = 500;

const GONE = `
  select project_id, item_id from engine_automations.sla_items
  where deleted_ms > 0 and deleted_ms < $1 order by deleted_ms limit ${PURGED_AT_ONCE}
  for update skip locked`;
/** One statement: each part sees the rows as they were before it. */
const PURGE = `
  with gone as materialized (${GONE}),
    changes as (delete from engine_automations.sla_changes
      where (project_id, item_id) in (select project_id, item_id from gone)),
    told as (delete from engine_automations.sla_told
      where (project_id, item_id) in (select project_id, item_id from gone))
  delete from engine_automations.sla_items
  where (project_id, item_id) in (select project_id, item_id from gone)`;

/** Some hundred items at a time. Returns something while there may be more. */
export async function purgeSla(tx: Tx, nowMs = Date.now()): Promise<true | undefined> {
  const { rowCount } = await tx.query(PURGE, [nowMs - REMEMBERED_MS]);
  return rowCount === PURGED_AT_ONCE || undefined;
}
