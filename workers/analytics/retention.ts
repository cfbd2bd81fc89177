/** Replaces the changes of items that ended before the retention's horizon by one row each, a few at a time. */
import type { Tx } from "@tl-engine/shared";
import { atOnce } from "@tl-engine/shared";
import { z } from "zod";
import { CHANGE_COLUMNS, changesIn, type Row } from "./history.ts";
import { settle } from "./settle.ts";
import { SETTLED_COLUMNS, type Settled } from "./settled.ts";
import type { Change } from "./timeline.ts";

export const Retention = z.object({
  ANALYTICS_RETENTION_MONTHS: z.coerce
    .number()
    .int()
    .min(0)
    .max(1_200)
    .default(24)
    .describe(
      "Months after which analytics keeps, of an item that ended, one row with its dates in place of its changes; 0 = for ever",
    ),
});
type Retention = z.output<typeof Retention>;

/** Facts that end an item, read by one call. */
const ENDS = 500;
/** Facts of their items, which is what one call costs: it holds up the worker's other jobs for some milliseconds. */
const FACTS = 10_000;

// "analytic" in ASCII. One worker settles at a time: two that read an item at different times must not overwrite
// what the other made of it. Of the transaction, so that it works through a pooler.
const LOCK = "7020098430204471651";

/** Facts that end an item, from the oldest on, and whether nothing of theirs is younger than the horizon. */
const OLD_ENDS = `
  select e.project_id "projectId", e.item_id "itemId", e.at_ms::text "atMs", e.change_id "changeId",
    not exists (select from engine_analytics.changes c
      where c.project_id = e.project_id and c.item_id = e.item_id and c.at_ms >= $1) "isOld"
  from engine_analytics.changes e
  where (e.to_group in ('completed', 'cancelled') or e.field = 'deleted')
    and e.at_ms < $1 and (e.at_ms, e.change_id) > ($2::bigint, $3::text)
  order by e.at_ms, e.change_id limit ${ENDS}`;
const ITEMS = "(project_id, item_id) in (select * from unnest($1::text[], $2::text[]))";
const FACTS_OF = `select workspace_id, ${CHANGE_COLUMNS} from engine_analytics.changes where ${ITEMS}
  order by project_id, item_id limit ${FACTS + 1}`;
const SETTLED_OF = `select ${SETTLED_COLUMNS} from engine_analytics.settled where ${ITEMS}`;

const COLUMNS = `until_ms, created_ms, started_ms, over_ms, ended_ms, deleted_ms, state_id, state_group,
  points, labels, left_labels, cycles, left_cycles, warnings`;
const KEEP = `
  insert into engine_analytics.settled (project_id, item_id, workspace_id, ${COLUMNS})
  select "projectId", "itemId", "workspaceId", "untilMs", "createdMs", "startedMs", "overMs", "endedMs", "deletedMs",
    "stateId", "group", points, nullif(labels, '{}'), nullif("leftLabels", '{}'), nullif(cycles, '{}'),
    nullif("leftCycles", '{}'), nullif(warnings, '{}')
  from jsonb_to_recordset($1::jsonb) as r("projectId" text, "itemId" text, "workspaceId" text, "untilMs" bigint,
    "createdMs" bigint, "startedMs" bigint, "overMs" bigint, "endedMs" bigint, "deletedMs" bigint, "stateId" text,
    "group" text, points text, labels text[], "leftLabels" text[], cycles text[], "leftCycles" text[], warnings text[])
  on conflict (project_id, item_id) do update set (workspace_id, ${COLUMNS}) =
    (coalesce(excluded.workspace_id, settled.workspace_id), ${COLUMNS.replaceAll(/\w+/g, "excluded.$&")})`;
const DROP = `delete from engine_analytics.changes
  where (project_id, change_id) in (select * from unnest($1::text[], $2::text[]))`;

/** Where a call stopped; the next one goes on behind it. */
interface Place {
  atMs: string;
  changeId: string;
}
type End = Place & { projectId: string; itemId: string; isOld: boolean };

/**
 * Settles some of what ended before the horizon; to be called in a transaction. Returns where it stopped while there
 * may be more, so that what can't be settled (open again, say) keeps nothing else from it.
 */
export async function purge(
  tx: Tx,
  { ANALYTICS_RETENTION_MONTHS: months }: Retention,
  after: Place = { atMs: "-9223372036854775808", changeId: "" },
  now = new Date(),
): Promise<Place | undefined> {
  if (months === 0) return undefined;
  const horizonMs = monthsBefore(now, months);
  const { rows: ends } = await tx.query<End>(OLD_ENDS, [horizonMs, after.atMs, after.changeId]);
  const old = ends.filter(({ isOld }) => isOld);
  if (old.length > 0) {
    const { rows } = await tx.query(`select pg_try_advisory_xact_lock(${LOCK}) as mine`);
    if (!rows[0].mine) return undefined;
    await settleItems(tx, old, horizonMs);
  }
  const last = ends.at(-1);
  return ends.length === ENDS && last ? { atMs: last.atMs, changeId: last.changeId } : undefined;
}

/** The same day and time some calendar months earlier, or the last of that month. */
function monthsBefore(now: Date, months: number): number {
  const then = new Date(now);
  then.setUTCDate(1);
  then.setUTCMonth(then.getUTCMonth() - months + 1, 0);
  then.setUTCDate(Math.min(then.getUTCDate(), now.getUTCDate()));
  return then.getTime();
}

async function settleItems(tx: Tx, items: readonly End[], horizonMs: number): Promise<void> {
  const keys = [items.map(({ projectId }) => projectId), items.map(({ itemId }) => itemId)];
  const { rows } = await tx.query<Fact>({ rowMode: "array", text: FACTS_OF, values: keys });
  const { rows: before } = await tx.query<Settled>(SETTLED_OF, keys);
  const rowOf = new Map(before.map((row) => [keyOf(row), row]));
  const kept: (Settled & { workspaceId: string | null })[] = [];
  const dropped: Change[] = [];
  for (const facts of wholeItems(rows)) {
    const changes = atOnce(changesIn(facts.map(([, ...row]) => row)));
    const [first] = changes as [Change];
    const row = rowOf.get(keyOf(first));
    // Since we looked at it, something young may have come.
    if (changes.some(({ atMs }) => atMs >= horizonMs)) continue;
    // What came again after its item was settled is in that row.
    const isNews = !row || changes.some(({ atMs }) => atMs > row.untilMs);
    const settled = isNews ? atOnce(settle(changes, row)) : undefined;
    const workspaceId = facts.findLast(([workspace]) => workspace !== null)?.[0] ?? null;
    if (settled) kept.push({ ...settled, workspaceId });
    if (settled || !isNews) for (const change of changes) dropped.push(change);
  }
  if (kept.length > 0) await tx.query(KEEP, [JSON.stringify(kept)]);
  if (dropped.length > 0)
    await tx.query(DROP, [
      dropped.map(({ projectId }) => projectId),
      dropped.map(({ changeId }) => changeId),
    ]);
}

/** A fact with its workspace before it. */
type Fact = [string | null, ...Row];

const keyOf = ({ projectId, itemId }: { projectId: string; itemId: string }) =>
  `${projectId}\0${itemId}`;

/** The facts item by item; the last item may be cut off, and waits for a batch that has room for it. */
function wholeItems(rows: readonly Fact[]): Fact[][] {
  const items = Map.groupBy(rows, ([, projectId, itemId]) => keyOf({ projectId, itemId }));
  return [...items.values()].slice(0, rows.length > FACTS ? -1 : undefined);
}
