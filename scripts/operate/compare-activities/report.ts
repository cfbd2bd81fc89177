/** The comparison as lines: a table by type and field, examples of what differs, and one line of figures. */
import type { Comparison, Difference, Group } from "./compare.ts";
import type { Entry } from "./entries.ts";

/** Of each type, field and kind. */
const MAX_EXAMPLES = 3;
const HEAD = ["type", "field", "equal", "only plane", "only engine", "different"];

export const differencesOf = ({ groups }: Comparison) =>
  groups.flatMap(({ differences }) => differences);

export function reportLines(comparison: Comparison): string[] {
  const rows = comparison.groups.map((group) => [
    group.type || "?",
    group.field || "–",
    ...[group.equal, count(group, "only_plane"), count(group, "only_engine")].map(String),
    String(count(group, "different")),
  ]);
  const widths = HEAD.map((name, column) =>
    Math.max(...[HEAD, ...rows].map((row) => row[column]?.length ?? name.length)),
  );
  const table = [HEAD, ...rows].map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column < 2 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd(),
  );
  return [...table, ...comparison.groups.flatMap(exampleLines), "", figures(comparison)];
}

const count = (group: Group, kind: Difference["kind"]) =>
  group.differences.filter((difference) => difference.kind === kind).length;

function exampleLines(group: Group): string[] {
  const lines = (["only_plane", "only_engine", "different"] as const).flatMap((kind) =>
    group.differences
      .filter((it) => it.kind === kind)
      .slice(0, MAX_EXAMPLES)
      .map(lineOf),
  );
  if (lines.length === 0) return [];
  return ["", `${group.type || "?"}, ${group.field || "no field"}:`, ...lines];
}

function lineOf({ kind, plane, engine, columns }: Difference): string {
  const entry = (plane ?? engine) as Entry;
  const where = `item ${entry.issue_id}, epoch ${entry.epoch}`;
  if (kind !== "different") {
    const { verb, old_value, new_value } = entry;
    const values = `${JSON.stringify(old_value)} → ${JSON.stringify(new_value)}`;
    return `  only ${plane ? "Plane" : "the engine"}: ${verb} ${values} (${where})`;
  }
  const told = columns.map(
    (column) =>
      `${column}: Plane ${JSON.stringify(plane?.[column])}, engine ${JSON.stringify(engine?.[column])}`,
  );
  return `  ${told.join("; ")} (${where})`;
}

function figures(comparison: Comparison): string {
  const all = differencesOf(comparison);
  const of = (kind: Difference["kind"]) => all.filter((it) => it.kind === kind).length;
  const { plane, engine, groups } = comparison;
  const equal = groups.reduce((sum, group) => sum + group.equal, 0);
  const only = `only_plane=${of("only_plane")} only_engine=${of("only_engine")}`;
  return `compare-activities: plane=${plane} engine=${engine} equal=${equal} ${only} different=${of("different")}`;
}
