/** The border: brings what callers send (snake_case, JSON in strings, alias keys) into one shape, once. */
import type { z } from "zod";

/**
 * The keys of `requested` and `current` that the engine knows, each with the spellings it is sent
 * under, the preferred one first. All others are ignored.
 */
const SPELLINGS = {
  id: ["id"],
  name: ["name"],
  priority: ["priority"],
  startDate: ["start_date", "startDate"],
  targetDate: ["target_date", "targetDate"],
  stateId: ["state_id", "stateId", "state"],
  parentId: ["parent_id", "parentId", "parent"],
  estimatePoint: ["estimate_point", "estimatePoint"],
  labelIds: ["label_ids", "labelIds", "labels"],
  assigneeIds: ["assignee_ids", "assigneeIds", "assignees"],
  descriptionHtml: ["description_html", "descriptionHtml"],
  archivedAt: ["archived_at", "archivedAt"],
  automation: ["automation"],
  closedTo: ["closed_to", "closedTo"],
  createdAt: ["created_at", "createdAt"],
  createdBy: ["created_by", "createdBy"],
  points: ["points", "point"],
  isDraft: ["is_draft", "isDraft"],
  commentHtml: ["comment_html", "commentHtml"],
  commentId: ["comment_id", "commentId", "comment"],
  url: ["url"],
  asset: ["asset"],
  reaction: ["reaction"],
  identifier: ["identifier"],
  vote: ["vote"],
  status: ["status"],
  relationType: ["relation_type", "relationType"],
  relatedIssue: ["related_issue", "relatedIssue"],
  issues: ["issues"],
  issueId: ["issue_id", "issueId", "issue"],
  moduleId: ["module_id", "moduleId", "module"],
  moduleName: ["module_name", "moduleName"],
  cycleId: ["cycle_id", "cycleId", "cycle"],
  cycleName: ["cycle_name", "cycleName"],
  oldCycleId: ["old_cycle_id", "oldCycleId"],
  newCycleId: ["new_cycle_id", "newCycleId"],
  updatedCycleIssues: ["updated_cycle_issues", "updatedCycleIssues"],
  createdCycleIssues: ["created_cycle_issues", "createdCycleIssues"],
  createdModuleIssues: ["created_module_issues", "createdModuleIssues"],
} as const;

export type DataKey = keyof typeof SPELLINGS;

/** `requested` or `current` under canonical keys; `conflicts` names the keys whose spellings disagreed. */
export type Data = { [Key in DataKey]?: unknown } & { conflicts?: DataKey[] };

const KNOWN_KEYS = Object.entries(SPELLINGS) as [DataKey, readonly string[]][];
const KEY_OF = new Map(
  KNOWN_KEYS.flatMap(([key, spellings]) => spellings.map((spelling) => [spelling, key] as const)),
);

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Renames the keys of a change set; leaves it to the schema to judge what they hold. */
export function canonicalChangeSet(sent: unknown, context: z.RefinementCtx): unknown {
  if (!isObject(sent)) return sent;
  return {
    type: sent.type,
    issueId: sent.issueId ?? sent.issue_id,
    projectId: sent.projectId ?? sent.project_id,
    workspaceId: sent.workspaceId ?? sent.workspace_id,
    actorId: sent.actorId ?? sent.actor_id,
    epoch: sent.epoch,
    requested: canonicalData(sent.requested ?? sent.requested_data, "requested", context) ?? {},
    current: canonicalData(sent.current ?? sent.current_instance, "current", context),
    lookups: sent.lookups ?? undefined,
    lastActivity: canonicalLastActivity(sent.lastActivity ?? sent.last_activity),
    coalesceWindowMs: sent.coalesceWindowMs ?? sent.coalesce_window_ms ?? undefined,
  };
}

function canonicalLastActivity(sent: unknown): unknown {
  if (!isObject(sent)) return sent;
  return {
    id: sent.id,
    field: sent.field,
    actorId: sent.actorId ?? sent.actor_id,
    epoch: sent.epoch,
  };
}

function canonicalData(sent: unknown, side: string, context: z.RefinementCtx): unknown {
  let value = sent;
  if (typeof sent === "string") {
    value = parsedJson(sent);
    if (value === undefined)
      context.addIssue({ code: "custom", path: [side], message: "is a string that is not JSON" });
  }
  if (!isObject(value)) return value;
  const data = canonicalKeys(value);
  // Plane nests the records of a cycle and of a module, some of them once more as a string.
  for (const key of ["createdCycleIssues", "updatedCycleIssues", "createdModuleIssues"] as const)
    if (data[key] !== undefined) data[key] = records(data[key]);
  return data;
}

/** Of several spellings of one key the first with a value counts, and null only where none has one. */
function canonicalKeys(sent: Record<string, unknown>): Data {
  const data: Data = {};
  let isTwice = false;
  for (const spelling of Object.keys(sent)) {
    const key = KEY_OF.get(spelling);
    const value = sent[spelling];
    if (key === undefined || value === undefined) continue;
    if (data[key] !== undefined) isTwice = true;
    data[key] = value;
  }
  return isTwice ? preferred(sent) : data;
}

/** Where a key has several spellings, which few senders use. */
function preferred(sent: Record<string, unknown>): Data {
  const data: Data = {};
  const conflicts: DataKey[] = [];
  for (const [key, spellings] of KNOWN_KEYS) {
    let chosen: unknown;
    let isConflict = false;
    for (const spelling of spellings) {
      const value = Object.hasOwn(sent, spelling) ? sent[spelling] : undefined;
      if (value === undefined) continue;
      if (chosen !== undefined && !isSame(chosen, value)) isConflict = true;
      chosen ??= value;
    }
    if (chosen !== undefined) data[key] = chosen;
    if (isConflict) conflicts.push(key);
  }
  if (conflicts.length > 0) data.conflicts = conflicts;
  return data;
}

function isSame(one: unknown, other: unknown): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return one === other;
  return one.length === other.length && one.every((element, index) => element === other[index]);
}

/** Lists of `{issue_id, …}` or, from Django's serializer, `{fields: {issue, …}}`. */
function records(sent: unknown): unknown {
  const list = typeof sent === "string" ? (parsedJson(sent) ?? sent) : sent;
  if (!Array.isArray(list)) return list;
  return list.map((element) => {
    if (!isObject(element)) return element;
    return canonicalKeys(isObject(element.fields) ? element.fields : element);
  });
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
