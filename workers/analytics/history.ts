/** Reads a scope's history in pages: the database's rows, each with texts of its own, would take several times what their facts do. */
import { inTurns, Reject, STEP_SIZE, type Steps, type Tx } from "@tl-engine/shared";
import { CEILINGS, type Scope, type StateGroup } from "./schemas.ts";
import type { Change } from "./timeline.ts";

/** Rows of a query. */
const PAGE = 10_000;

export interface History {
  workspaceId: string | null;
  /** How many facts each project has. */
  projects: [projectId: string, changes: number][];
  /** Of all of them. */
  changes: number;
}

type Row = [
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
const COLUMNS =
  "project_id, item_id, change_id, at_ms::float8, field, from_value, to_value, from_group, to_group, initial";
const IN_WORKSPACE = "($2::text is null or workspace_id is null or workspace_id = $2)";
const SMALL_PROJECTS = `select ${COLUMNS} from engine_analytics.changes
  where project_id = any($1) and ${IN_WORKSPACE}`;
// Item by item, as the index has them.
const PAGE_OF_PROJECT = `select ${COLUMNS} from engine_analytics.changes
  where project_id = $1 and ${IN_WORKSPACE} and (item_id, at_ms, change_id) > ($3, $4::bigint, $5)
  order by item_id, at_ms, change_id limit ${PAGE}`;

/**
 * All facts about the scope's projects; for a cycle, of the projects that have had items in it.
 * @throws {Reject} when they are too many.
 */
export async function findHistory(db: Tx, scope: Scope): Promise<History> {
  const { projectId, projectIds, cycleId, workspaceId = null } = scope;
  const inProjects =
    cycleId === undefined
      ? "= any($1)"
      : `in (select project_id from engine_analytics.changes where field = 'cycle' and to_value = $1)`;
  const { rows } = await db.query<[string, number]>({
    rowMode: "array",
    text: `select project_id, count(*)::int from engine_analytics.changes
      where project_id ${inProjects} and ${IN_WORKSPACE} group by project_id order by project_id`,
    values: [cycleId ?? projectIds ?? [projectId], workspaceId],
  });
  const changes = rows.reduce((sum, [, count]) => sum + count, 0);
  if (changes > CEILINGS.changesPerFlow)
    throw new Reject(
      `the scope holds more than ${CEILINGS.changesPerFlow} changes; ask for fewer projects at a time`,
    );
  return { workspaceId, projects: rows, changes };
}

export async function readHistory(
  db: Tx,
  { workspaceId, projects }: History,
  signal: AbortSignal,
): Promise<Change[]> {
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
  return read.changes;
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
    await inTurns(this.#take(rows), this.#signal);
  }

  *#take(rows: Row[]): Steps<void> {
    for (const [i, row] of rows.entries()) {
      if (i % STEP_SIZE === STEP_SIZE - 1) yield;
      const [projectId, itemId, changeId, atMs, field, from, to, fromGroup, toGroup, initial] = row;
      this.changes.push({
        projectId: this.#once(projectId),
        itemId: this.#once(itemId),
        changeId,
        atMs,
        field: this.#once(field),
        from: this.#once(from),
        to: this.#once(to),
        fromGroup: this.#once(fromGroup),
        toGroup: this.#once(toGroup),
        initial,
      });
    }
  }

  #once<Text extends string | null>(text: Text): Text {
    if (text === null) return text;
    const known = this.#texts.get(text);
    if (known !== undefined) return known as Text;
    this.#texts.set(text, text);
    return text;
  }
}
