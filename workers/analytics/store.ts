/** Keeps the history in Postgres: set-based inserts that ignore repeats, and reads by project. */
import type { Tx } from "@tl-engine/shared";
import { sorted } from "./order.ts";
import { CEILINGS, type Scope, type StateGroup } from "./schemas.ts";
import type { Change } from "./timeline.ts";
import { inTurns, type Run, STEP_SIZE, type Steps } from "./turns.ts";

/** A statement's parameters are arrays by column, so its text is the same for any number of rows. */
const INSERT = `
  insert into engine_analytics.changes
    (project_id, change_id, workspace_id, item_id, at_ms, field, from_value, to_value, from_group, to_group, initial)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[],
    $7::text[], $8::text[], $9::text[], $10::text[], $11::boolean[])
  on conflict do nothing`;

/** Of a statement: Postgres' driver writes each value into a text, and does not yield. */
const ROWS_PER_STATEMENT = 4_096;

/** What one job of a workspace adds. */
export interface Addition {
  workspaceId: string | null;
  changes: Change[];
}

interface Row {
  workspaceId: string | null;
  change: Change;
}

const byKey = ({ change: a }: Row, { change: b }: Row) =>
  compareTexts(a.projectId, b.projectId) || compareTexts(a.changeId, b.changeId);
const compareTexts = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Adds the facts that are not there yet. Rows go in order of their key, so that two workers that add the same facts
 * at once wait for each other and don't deadlock.
 */
export async function addChanges(tx: Tx, additions: Addition[], run: Run): Promise<void> {
  const rows = await run(distinctRows(additions));
  for (let from = 0; from < rows.length; from += ROWS_PER_STATEMENT)
    await tx.query(INSERT, columnsOf(rows.slice(from, from + ROWS_PER_STATEMENT)));
}

/** Of each key the first that was given. */
function* distinctRows(additions: Addition[]): Steps<Row[]> {
  const rows: Row[] = [];
  for (const { workspaceId, changes } of additions) {
    yield;
    for (const change of changes) rows.push({ workspaceId, change });
  }
  const ordered = yield* sorted(rows, byKey);
  return ordered.filter((row, i) => i === 0 || byKey(ordered[i - 1] as Row, row) !== 0);
}

function columnsOf(rows: Row[]) {
  const column = <Value>(of: (change: Change) => Value) => rows.map(({ change }) => of(change));
  return [
    column((c) => c.projectId),
    column((c) => c.changeId),
    rows.map(({ workspaceId }) => workspaceId),
    column((c) => c.itemId),
    column((c) => c.atMs),
    column((c) => c.field),
    column((c) => c.from),
    column((c) => c.to),
    column((c) => c.fromGroup),
    column((c) => c.toGroup),
    column((c) => c.initial),
  ];
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

type StoredRow = [
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

/**
 * All facts about the scope's projects; for a cycle, of the projects that have had items in it.
 * Throws {@link HistoryTooLarge}.
 */
export async function changesOf(db: Tx, scope: Scope, signal: AbortSignal): Promise<Change[]> {
  const ids = scope.projectIds ?? (scope.projectId === undefined ? [] : [scope.projectId]);
  const inProjects =
    scope.cycleId === undefined
      ? { text: "project_id = any($1)", value: ids }
      : {
          text: `project_id in (select project_id from engine_analytics.changes where field = 'cycle' and to_value = $1)`,
          value: scope.cycleId,
        };
  const { rows } = await db.query<StoredRow>({
    // Arrays instead of objects, and bigint as a double (exact up to 2⁵³): twice as fast to read.
    rowMode: "array",
    text: `select project_id, item_id, change_id, at_ms::float8, field, from_value, to_value, from_group, to_group, initial
      from engine_analytics.changes
      where ${inProjects.text} and ($2::text is null or workspace_id is null or workspace_id = $2)
      limit ${CEILINGS.changesPerFlow + 1}`,
    values: [inProjects.value, scope.workspaceId ?? null],
  });
  if (rows.length > CEILINGS.changesPerFlow) throw new HistoryTooLarge();
  return inTurns(changesIn(rows), signal);
}

function* changesIn(rows: StoredRow[]): Steps<Change[]> {
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
