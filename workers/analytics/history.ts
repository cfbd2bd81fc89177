/** Reads a scope's history in pages: the database's rows, each with texts of its own, would take several times what their facts do. */
import { inTurns, Reject, STEP_SIZE, type Steps, type Tx } from "@tl-engine/shared";
import { CEILINGS, type Scope, type StateGroup } from "./schemas.ts";
import { SETTLED_COLUMNS, type Settled } from "./settled.ts";
import type { Change } from "./timeline.ts";

/** Rows of a query. */
const PAGE = 10_000;

/** What is kept of a scope, before it is read. */
export interface History {
  scope: Scope;
  workspaceId: string | null;
  /** How many facts each project has. */
  projects: [projectId: string, changes: number][];
  /** Of all of them. */
  changes: number;
  /** Items that ended before the retention's horizon. */
  settled: number;
}

/** In the order of {@link CHANGE_COLUMNS}. */
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

// Bigint as a double, exact up to 2⁵³.
export const CHANGE_COLUMNS =
  "project_id, item_id, change_id, at_ms::float8, field, from_value, to_value, from_group, to_group, initial";
const IN_WORKSPACE = "($2::text is null or workspace_id is null or workspace_id = $2)";
const SMALL_PROJECTS = `select ${CHANGE_COLUMNS} from engine_analytics.changes
  where project_id = any($1) and ${IN_WORKSPACE}`;
// Item by item, as the index has them.
const PAGE_OF_PROJECT = `select ${CHANGE_COLUMNS} from engine_analytics.changes
  where project_id = $1 and ${IN_WORKSPACE} and (item_id, at_ms, change_id) > ($3, $4::bigint, $5)
  order by item_id, at_ms, change_id limit ${PAGE}`;

/** Rows of a scope's projects; for a cycle, of the projects that have had items in it. */
function whereOf({ projectId, projectIds, cycleId, workspaceId }: Scope): {
  where: string;
  values: unknown[];
} {
  const inProjects =
    cycleId === undefined
      ? "= any($1)"
      : `in (select project_id from engine_analytics.changes where field = 'cycle' and to_value = $1
          union select project_id from engine_analytics.settled where cycles @> array[$1])`;
  return {
    where: `where project_id ${inProjects} and ${IN_WORKSPACE}`,
    values: [cycleId ?? projectIds ?? [projectId], workspaceId ?? null],
  };
}

/**
 * Counts all facts about the scope's projects.
 * @throws {Reject} when they are too many.
 */
export async function findHistory(db: Tx, scope: Scope): Promise<History> {
  const { where, values } = whereOf(scope);
  const { rows } = await db.query<[string, number]>({
    rowMode: "array",
    text: `select project_id, count(*)::int from engine_analytics.changes ${where}
      group by project_id order by project_id`,
    values,
  });
  const { rows: ended } = await db.query<{ count: number }>(
    `select count(*)::int from engine_analytics.settled ${where}`,
    values,
  );
  const changes = rows.reduce((sum, [, count]) => sum + count, 0);
  const settled = ended[0]?.count ?? 0;
  if (changes + settled > CEILINGS.changesPerFlow)
    throw new Reject(
      `the scope holds more than ${CEILINGS.changesPerFlow} changes; ask for fewer projects at a time`,
    );
  return { scope, workspaceId: scope.workspaceId ?? null, projects: rows, changes, settled };
}

export async function readHistory(
  db: Tx,
  { scope, workspaceId, projects }: History,
  signal: AbortSignal,
): Promise<{ changes: Change[]; settled: Settled[] }> {
  const read = new Reading(signal);
  const query = (text: string, ...values: unknown[]) => {
    signal.throwIfAborted();
    return db.query<Row>({ rowMode: "array", text, values });
  };
  for (const small of bundles(projects.filter(([, count]) => count <= PAGE)))
    await read.add((await query(SMALL_PROJECTS, small, workspaceId)).rows);
  for (const [projectId, count] of projects) {
    if (count <= PAGE) continue;
    let after: [string, number, string] = ["", 0, ""];
    for (let length = PAGE; length === PAGE; ) {
      const { rows } = await query(PAGE_OF_PROJECT, projectId, workspaceId, ...after);
      const [, itemId = "", changeId = "", atMs = 0] = rows.at(-1) ?? [];
      after = [itemId, atMs, changeId];
      length = rows.length;
      await read.add(rows);
    }
  }
  // After the changes, and never before: what a purge settles in between is then in both, and counts once.
  const { where, values } = whereOf(scope);
  const { rows: settled } = await db.query<Settled>(
    `select ${SETTLED_COLUMNS} from engine_analytics.settled ${where}`,
    values,
  );
  return { changes: read.changes, settled };
}

/** @param once gives equal texts as one. */
export function* changesIn(
  rows: readonly Row[],
  once: <Text extends string | null>(text: Text) => Text = (text) => text,
): Steps<Change[]> {
  const changes: Change[] = [];
  for (const row of rows) {
    if (changes.length % STEP_SIZE === STEP_SIZE - 1) yield;
    const [projectId, itemId, changeId, atMs, field, from, to, fromGroup, toGroup, initial] = row;
    changes.push({
      projectId: once(projectId),
      itemId: once(itemId),
      changeId,
      atMs,
      field: once(field),
      from: once(from),
      to: once(to),
      fromGroup: once(fromGroup),
      toGroup: once(toGroup),
      initial,
    });
  }
  return changes;
}

/** Projects that go into one query. */
function bundles(projects: History["projects"]): string[][] {
  const all: string[][] = [];
  let room = 0;
  for (const [projectId, count] of projects) {
    if (count > room) {
      all.push([]);
      room = PAGE;
    }
    all.at(-1)?.push(projectId);
    room -= count;
  }
  return all;
}

class Reading {
  readonly changes: Change[] = [];
  readonly #signal: AbortSignal;
  /** Each text once: the ids of items, states and projects stand in many rows. */
  readonly #texts = new Map<string, string>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  async add(rows: Row[]): Promise<void> {
    const once = <Text extends string | null>(text: Text): Text => this.#once(text);
    // One by one: a spread of so many would not fit on the stack.
    for (const change of await inTurns(changesIn(rows, once), this.#signal))
      this.changes.push(change);
  }

  #once<Text extends string | null>(text: Text): Text {
    if (text === null) return text;
    const known = this.#texts.get(text);
    if (known !== undefined) return known as Text;
    this.#texts.set(text, text);
    return text;
  }
}
