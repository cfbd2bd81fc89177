/** Keeps the history in Postgres: set-based inserts that ignore repeats. */
import type { Run, Steps, Tx } from "@tl-engine/shared";
import { sorted } from "./order.ts";
import type { Change } from "./timeline.ts";

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
