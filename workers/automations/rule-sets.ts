/** Puts and removes rule sets: the highest version counts, in whatever order they come. */
import { createHash } from "node:crypto";
import { type Batch, inTurns, type Steps, type Tx } from "@tl-engine/shared";
import { readRules } from "./rules/read-rules.ts";
import type { RulesInput, RulesOutput } from "./schemas/keep.ts";
import { Warnings } from "./warnings.ts";

interface Row {
  workspaceId: string;
  setId: string;
  version: number;
  /** A removal's is greater than that of any set, so that of two with one version it counts. */
  digest: string;
  projectId: string | null;
  rules: string | null;
}
interface Reading {
  rows: Row[];
  rules: number;
  warnings: Warnings;
}

const REMOVED = "~";

const PUT = `
  insert into engine_automations.rule_sets as kept (workspace_id, set_id, version, digest, project_id, rules)
  select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[])
  on conflict (workspace_id, set_id) do update set
    version = excluded.version, digest = excluded.digest, project_id = excluded.project_id, rules = excluded.rules
  where (excluded.version, excluded.digest) > (kept.version, kept.digest)
  returning workspace_id "workspaceId", set_id "setId", version::text, digest`;

export async function putRuleSets(
  inputs: readonly RulesInput[],
  { tx, signal }: Pick<Batch, "tx" | "signal">,
): Promise<RulesOutput[]> {
  const readings: Reading[] = [];
  for (const input of inputs) readings.push(await inTurns(readSets(input), signal));
  const stored = await store(
    tx,
    readings.flatMap(({ rows }) => rows),
  );
  return readings.map(({ rows, rules, warnings }) => {
    const isStored = rows.filter((row) => stored.has(keyOf(row))).length;
    return {
      stored: isStored,
      stale: rows.length - isStored,
      rules,
      warnings: warnings.listed,
      warningsTotal: warnings.total,
    };
  });
}

function* readSets({ workspaceId, put, remove, keyWarnings }: RulesInput): Steps<Reading> {
  const warnings = new Warnings(keyWarnings);
  const rows: Row[] = [];
  let rules = 0;
  for (const [index, { id: setId, version, projectId = null, rules: sent }] of put.entries()) {
    const good = yield* readRules(sent, ["put", index, "rules"], warnings);
    rules += good.length;
    // As it was sent, so that a later version of the engine can read it in its own way.
    const text = JSON.stringify(good.map(({ sent: rule }) => rule));
    const digest = createHash("sha256").update(`${projectId}\n${text}`).digest("hex");
    rows.push({ workspaceId, setId, version, digest, projectId, rules: text });
  }
  for (const { id: setId, version } of remove)
    rows.push({ workspaceId, setId, version, digest: REMOVED, projectId: null, rules: null });
  return { rows, rules, warnings };
}

const keyOf = ({ workspaceId, setId, version, digest }: Omit<Row, "projectId" | "rules">) =>
  JSON.stringify([workspaceId, setId, String(version), digest]);

/** The keys of what was stored. */
async function store(tx: Tx, rows: readonly Row[]): Promise<Set<string>> {
  const latest = new Map<string, Row>();
  for (const row of rows) {
    const key = JSON.stringify([row.workspaceId, row.setId]);
    const other = latest.get(key);
    if (other === undefined || isLater(row, other)) latest.set(key, row);
  }
  if (latest.size === 0) return new Set();
  // In the order of their keys, so that two workers wait for each other and don't deadlock.
  const ordered = [...latest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  const column = (of: (row: Row) => unknown) => ordered.map(of);
  const { rows: stored } = await tx.query(PUT, [
    column((row) => row.workspaceId),
    column((row) => row.setId),
    column((row) => row.version),
    column((row) => row.digest),
    column((row) => row.projectId),
    column((row) => row.rules),
  ]);
  return new Set(stored.map(keyOf));
}

const isLater = (one: Row, other: Row) =>
  one.version > other.version || (one.version === other.version && one.digest > other.digest);
