/** Turns the moments of an issue's life into change sets whose `from` and `to` fit each other. */

import type { Random } from "../../show/random.ts";
import { PRIORITIES, RESOLUTIONS, TYPES } from "./figures.ts";
import type { ChangeSet, FieldChange } from "./history.ts";

/** A moment at which an issue moves to `status`, or at which a `field` other than that changes. */
export interface Draft {
  at: number;
  status?: string;
  field?: string;
}

interface Start {
  project: string;
  number: number;
  createdAt: number;
  type: string;
  priority: string;
  firstStatus: string;
  people: Record<string, number>;
}

/** The single-valued fields by name, and the sets. */
interface Current {
  fields: Record<string, string | null>;
  versions: string[];
  components: string[];
}

const RELEASE_MS = 90 * 24 * 3_600_000;
const STORY_POINTS = { "1": 4, "2": 3, "3": 3, "5": 2, "8": 1 };
const DONE = new Set(["Resolved", "Closed"]);

/** The change sets, and the fields' values after them. */
export function draftChanges(rng: Random, drafts: Draft[], start: Start) {
  const current: Current = {
    fields: { status: start.firstStatus, type: start.type, priority: start.priority },
    versions: [],
    components: [],
  };
  const changes: ChangeSet[] = [];
  let previous = start.createdAt;
  for (const draft of drafts) {
    // Two changes in one millisecond have no order; a real tracker has none of them either.
    const at = Math.max(draft.at, previous + 1);
    previous = at;
    const by = rng.pick(start.people);
    const items = draft.status
      ? move(rng, current, draft.status, by)
      : edit(rng, current, draft.field ?? "", at, start);
    changes.push({ at: new Date(at).toISOString(), by, items });
  }
  const { type, priority, status } = current.fields;
  return { changes, last: { type, priority, status } };
}

/** A move of status and what usually goes with it: the resolution, who takes it. */
function move(rng: Random, current: Current, status: string, by: string): FieldChange[] {
  const items = [set(current, "status", status)];
  const resolved = current.fields.resolution ?? null;
  if (DONE.has(status) && resolved === null)
    items.push(set(current, "resolution", rng.pick(RESOLUTIONS)));
  if (!DONE.has(status) && resolved !== null) items.push(set(current, "resolution", null));
  const assignee = current.fields.assignee ?? null;
  if (status === "In Progress" && assignee !== by && rng.next() < 0.5)
    items.push(set(current, "assignee", by));
  return items;
}

function edit(
  rng: Random,
  current: Current,
  field: string,
  at: number,
  start: Start,
): FieldChange[] {
  const value = current.fields[field] ?? null;
  switch (field) {
    case "fixVersion":
      return moveVersion(rng, current, at, start);
    case "component":
      return toggle(
        current.components,
        field,
        `component-${pad(rng.below(3) + 3 * projectIndex(start))}`,
      );
    case "assignee": {
      const next = value !== null && rng.next() < 0.15 ? null : rng.pick(start.people);
      return next === value ? [set(current, field, null)] : [set(current, field, next)];
    }
    case "type":
      return [set(current, field, rng.pick(without(TYPES, value)))];
    case "priority":
      return [set(current, field, rng.pick(without(PRIORITIES, value)))];
    case "Story Points":
      return [set(current, field, rng.pick(without(STORY_POINTS, value)))];
    case "timeestimate":
      return [set(current, field, String(3_600 * (1 + rng.below(16))))];
    case "duedate": {
      const day = new Date(at + (3 + rng.below(60)) * 24 * 3_600_000).toISOString().slice(0, 10);
      return [set(current, field, `${day} 00:00:00.0`)];
    }
    case "labels":
      return [set(current, field, value ? "" : `l${100 + rng.below(40)}`)];
    case "parent":
      return [set(current, field, parent(rng, value, start))];
    default:
      throw new RangeError(`the generator knows no field ${field}`);
  }
}

/** Plans an issue for the next release, or moves it on to a later one. */
function moveVersion(rng: Random, current: Current, at: number, start: Start): FieldChange[] {
  const release = Math.floor(at / RELEASE_MS) % 90;
  const next = `version-${pad(projectIndex(start))}.${release + 1 + rng.below(2)}`;
  const before = current.versions.at(-1);
  if (before === undefined) return toggle(current.versions, "fixVersion", next);
  if (before === next) return toggle(current.versions, "fixVersion", before);
  return [
    ...toggle(current.versions, "fixVersion", next),
    ...toggle(current.versions, "fixVersion", before),
  ];
}

function toggle(values: string[], field: string, value: string): FieldChange[] {
  const index = values.indexOf(value);
  if (index === -1) {
    values.push(value);
    return [{ field, from: null, to: value }];
  }
  values.splice(index, 1);
  return [{ field, from: value, to: null }];
}

/** An earlier issue of the project; none for the first, or to be free again. */
function parent(rng: Random, value: string | null, start: Start): string | null {
  if (value !== null || start.number === 1) return null;
  return `${start.project}-${1 + rng.below(start.number - 1)}`;
}

function set(current: Current, field: string, to: string | null): FieldChange {
  const from = current.fields[field] ?? null;
  current.fields[field] = to;
  return { field, from, to };
}

function without(weights: Record<string, number>, key: string | null): Record<string, number> {
  return Object.fromEntries(Object.entries(weights).filter(([other]) => other !== key));
}

const projectIndex = (start: Start) => Number(start.project.slice(1));
const pad = (value: number) => String(value).padStart(2, "0");
