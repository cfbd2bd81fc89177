/** Keeps the history in Postgres: one set-based insert that ignores repeats, and reads by project. */
import type { Tx } from "@tl-engine/shared";
import { CEILINGS, type Scope, type StateGroup } from "./schemas.ts";
import { SETTLED_COLUMNS, type Settled } from "./settled.ts";
import type { Change } from "./timeline.ts";
import { inTurns, STEP_SIZE, type Steps } from "./turns.ts";

/** A statement's parameters are arrays by column, so its text is the same for any number of rows. */
const INSERT = `
  insert into engine_analytics.changes
    (project_id, change_id, workspace_id, item_id, at_ms, field, from_value, to_value, from_group, to_group, initial)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[],
    $7::text[], $8::text[], $9::text[], $10::text[], $11::boolean[])
  on conflict do nothing`;

/** What one change set of a workspace adds. */
export interface Addition {
  workspaceId: string | null;
  changes: Change[];
}

/**
 * Adds the facts that are not there yet, in one statement. Rows go in order of their key, so that
 * two workers that add the same facts at once wait for each other and never deadlock.
 */
export async function addChanges(tx: Tx, additions: Addition[]): Promise<void> {
  const rows = new Map<string, { workspaceId: string | null; change: Change }>();
  for (const { workspaceId, changes } of additions)
    for (const change of changes) {
      const key = `${change.projectId}\0${change.changeId}`;
      if (!rows.has(key)) rows.set(key, { workspaceId, change });
    }
  if (rows.size === 0) return;
  const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  const column = <Value>(of: (change: Change) => Value) => sorted.map(({ change }) => of(change));
  await tx.query(INSERT, [
    column((c) => c.projectId),
    column((c) => c.changeId),
    sorted.map(({ workspaceId }) => workspaceId),
    column((c) => c.itemId),
    column((c) => c.atMs),
    column((c) => c.field),
    column((c) => c.from),
    column((c) => c.to),
    column((c) => c.fromGroup),
    column((c) => c.toGroup),
    column((c) => c.initial),
  ]);
}

/** The scope has more stored changes than one `flow` may read. */
export class HistoryTooLarge extends Error {
  override readonly name = "HistoryTooLarge";
  constructor() {
    super(
      `the scope holds more than ${CEILINGS.changesPerFlow} changes; ask for fewer projects at a time`,
    );
  }
}

/** In the order of a {@link Row}. */
export const CHANGE_COLUMNS =
  "project_id, item_id, change_id, at_ms::float8, field, from_value, to_value, from_group, to_group, initial";

export type Row = [
  string,
  string,
  string,
  number,
  Change["field"],
  string | null,
  string | null,
  StateGroup | null,
  StateGroup | null,
  boolean,
];

/** Which projects a scope is of: for a cycle, those that have had items in it. */
function projectsOf({ cycleId, projectId, projectIds }: Scope): { text: string; value: unknown } {
  if (cycleId === undefined)
    return {
      text: "project_id = any($1)",
      value: projectIds ?? (projectId === undefined ? [] : [projectId]),
    };
  return {
    text: `project_id in (
      select project_id from engine_analytics.changes where field = 'cycle' and to_value = $1
      union select project_id from engine_analytics.settled where cycles @> array[$1])`,
    value: cycleId,
  };
}

/** What is known of a scope. */
export interface History {
  changes: Change[];
  /** Items that ended before the retention's horizon. */
  settled: Settled[];
}

/** All facts about the scope's projects. Throws {@link HistoryTooLarge}. */
export async function historyOf(db: Tx, scope: Scope, signal: AbortSignal): Promise<History> {
  const { text, value } = projectsOf(scope);
  const where = `where ${text} and ($2::text is null or workspace_id is null or workspace_id = $2)
    limit ${CEILINGS.changesPerFlow + 1}`;
  const values = [value, scope.workspaceId ?? null];
  const { rows } = await db.query<Row>({
    // Arrays instead of objects, and bigint as a double (exact up to 2⁵³): twice as fast to read.
    rowMode: "array",
    text: `select ${CHANGE_COLUMNS} from engine_analytics.changes ${where}`,
    values,
  });
  if (rows.length > CEILINGS.changesPerFlow) throw new HistoryTooLarge();
  // After the changes, and never before: what a purge settles in between is then in both, and counts once.
  const { rows: settled } = await db.query<Settled>({
    text: `select ${SETTLED_COLUMNS} from engine_analytics.settled ${where}`,
    values,
  });
  if (rows.length + settled.length > CEILINGS.changesPerFlow) throw new HistoryTooLarge();
  return { changes: await inTurns(changesIn(rows), signal), settled };
}

export function* changesIn(rows: Row[]): Steps<Change[]> {
  const changes: Change[] = [];
  for (const row of rows) {
    if (changes.length % STEP_SIZE === STEP_SIZE - 1) yield;
    const [projectId, itemId, changeId, atMs, field, from, to, fromGroup, toGroup, initial] = row;
    changes.push({
      projectId,
      itemId,
      changeId,
      atMs,
      field,
      from,
      to,
      fromGroup,
      toGroup,
      initial,
    });
  }
  return changes;
}
