/** Pairs Plane's rows with the engine's entries as multisets, and says of what is left how it differs. */
import { COLUMNS, type Column, type Entry, type Found } from "./entries.ts";

export interface Difference {
  kind: "only_plane" | "only_engine" | "different";
  plane?: Entry;
  engine?: Entry;
  /** Where the two differ. */
  columns: Column[];
}

/** What one type of change made of one field. */
export interface Group {
  /** "" where neither side tells it. */
  type: string;
  field: string;
  equal: number;
  differences: Difference[];
}

export interface Comparison {
  plane: number;
  engine: number;
  groups: Group[];
}

const keyOf = (entry: Entry, columns: readonly Column[]) =>
  JSON.stringify(columns.map((column) => entry[column]));

/** Pairs at first what is equal, then what agrees in less and less; the rest stands on one side alone. */
const ROUNDS: readonly (readonly Column[])[] = [
  COLUMNS,
  ["issue_id", "field", "verb", "epoch", "old_identifier", "new_identifier"],
  ["issue_id", "field", "verb", "epoch", "new_value"],
  ["issue_id", "field", "verb", "epoch"],
  ["issue_id", "field", "epoch"],
];

export function compare(plane: Found[], engine: Found[]): Comparison {
  const groups = new Map<string, Group>();
  const typeOf = typesOf([...engine, ...plane]);
  const groupOf = ({ entry, type }: Found): Group => {
    const known = type ?? typeOf(entry);
    const field = String(entry.field ?? "");
    const key = JSON.stringify([known, field]);
    const group = groups.get(key) ?? { type: known, field, equal: 0, differences: [] };
    groups.set(key, group);
    return group;
  };
  let left = { plane, engine };
  for (const columns of ROUNDS) {
    const { pairs, ...rest } = pair(left.plane, left.engine, columns);
    left = rest;
    for (const [one, other] of pairs) {
      const differing = COLUMNS.filter((column) => one.entry[column] !== other.entry[column]);
      const group = groupOf(other);
      if (differing.length === 0) group.equal += 1;
      else
        group.differences.push({
          ...{ kind: "different", columns: differing },
          ...{ plane: one.entry, engine: other.entry },
        });
    }
  }
  for (const found of left.plane)
    groupOf(found).differences.push({ kind: "only_plane", plane: found.entry, columns: [] });
  for (const found of left.engine)
    groupOf(found).differences.push({ kind: "only_engine", engine: found.entry, columns: [] });
  const inOrder = [...groups].sort(([one], [other]) => (one < other ? -1 : 1));
  return { plane: plane.length, engine: engine.length, groups: inOrder.map(([, group]) => group) };
}

/** Plane's rows don't say which change made them: the engine's entry of the same item and time does. */
function typesOf(all: Found[]): (entry: Entry) => string {
  const types = new Map<string, string>();
  for (const { entry, type } of all)
    if (type !== undefined) types.set(keyOf(entry, ["issue_id", "epoch"]), type);
  return (entry) => types.get(keyOf(entry, ["issue_id", "epoch"])) ?? "";
}

function pair(plane: Found[], engine: Found[], columns: readonly Column[]) {
  const waiting = new Map<string, Found[]>();
  for (const found of engine) {
    const key = keyOf(found.entry, columns);
    const others = waiting.get(key);
    if (others) others.push(found);
    else waiting.set(key, [found]);
  }
  const pairs: [Found, Found][] = [];
  const alone: Found[] = [];
  for (const found of plane) {
    const other = waiting.get(keyOf(found.entry, columns))?.shift();
    if (other) pairs.push([found, other]);
    else alone.push(found);
  }
  return { pairs, plane: alone, engine: [...waiting.values()].flat() };
}
