/** Replays one issue forward and says, for each of its change sets, what tl-plane's API would publish. */
import type { FieldChange, Issue } from "./history.ts";
import {
  type PlaneIds,
  planeDate,
  planeKey,
  planePriority,
  planeState,
  type StateGroup,
} from "./plane.ts";

type Value = string | string[] | number | null;
type Attributes = Record<string, Value>;
type Lookup = Record<string, { name: string; group?: StateGroup }>;

/** The input of `activities.record`, as far as this demo uses it. */
export interface ChangeInput {
  type: "issue.activity.created" | "issue.activity.updated" | "comment.activity.created";
  issueId: string;
  projectId: string;
  workspaceId: string;
  actorId: string;
  /** Seconds, with milliseconds as its fraction. */
  epoch: number;
  requested: Attributes;
  current: Attributes | null;
  /** Names of the ids in `requested` and `current`, and no others. */
  lookups: Record<LookupKind, Lookup>;
}

type LookupKind = "states" | "labels" | "users" | "estimates" | "issues";

/** The fields as the tracker has them; sets by field. */
interface Fields {
  single: Map<string, string | null>;
  sets: Map<string, Set<string>>;
}

const SETS = ["fixVersion", "component"];
const LABEL_FIELDS = [...SETS, "type", "labels"];
/** A person whom the tracker no longer knows. */
const NOBODY = "former user";

/** The creation first, then the change sets in their order. */
export function replayIssue(issue: Issue, ids: PlaneIds): ChangeInput[] {
  const scribe = new Scribe(issue, ids);
  const fields = fieldsAtCreation(issue);
  const inputs = [scribe.creation(fields)];
  for (const change of issue.changes) {
    const before = scribe.attributes(fields, change.items);
    for (const item of change.items) apply(fields, item);
    inputs.push(
      scribe.update(change.by, change.at, scribe.attributes(fields, change.items), before),
    );
  }
  return inputs;
}

/** What a field was at first: what its first change takes away, or what it still is. */
function fieldsAtCreation(issue: Issue): Fields {
  const single = new Map<string, string | null>();
  const sets = new Map(SETS.map((field) => [field, new Set<string>()]));
  const added = new Set<string>();
  for (const { field, from, to } of issue.changes.flatMap((change) => change.items)) {
    const set = sets.get(field);
    if (!set) {
      if (!single.has(field)) single.set(field, from);
      continue;
    }
    if (from !== null && !added.has(`${field} ${from}`)) set.add(from);
    if (to !== null) added.add(`${field} ${to}`);
  }
  if (!single.has("type")) single.set("type", issue.type);
  if (!single.has("priority")) single.set("priority", issue.priority);
  single.set("status", issue.firstStatus);
  return { single, sets };
}

function apply(fields: Fields, { field, from, to }: FieldChange): void {
  const set = fields.sets.get(field);
  if (!set) {
    fields.single.set(field, to);
    return;
  }
  if (from !== null) set.delete(from);
  if (to !== null) set.add(to);
}

/** Writes the inputs of one issue's jobs; remembers the names of the ids that it hands out. */
class Scribe {
  readonly #issue: Issue;
  readonly #ids: PlaneIds;
  #lookups = emptyLookups();

  constructor(issue: Issue, ids: PlaneIds) {
    this.#issue = issue;
    this.#ids = ids;
  }

  creation(fields: Fields): ChangeInput {
    const all = [...fields.single.keys(), ...SETS].map((field) => ({ field }));
    const requested = { name: this.#issue.key, ...this.attributes(fields, all) };
    const { createdBy, createdAt } = this.#issue;
    return this.#input("issue.activity.created", createdBy, createdAt, requested, null);
  }

  update(by: string | null, at: string, requested: Attributes, current: Attributes): ChangeInput {
    return this.#input("issue.activity.updated", by, at, requested, current);
  }

  /** The Plane attributes that the given fields of the tracker show in. */
  attributes(fields: Fields, touched: { field: string }[]): Attributes {
    const attributes: Attributes = {};
    for (const { field } of touched) Object.assign(attributes, this.#attribute(fields, field));
    return attributes;
  }

  #attribute(fields: Fields, field: string): Attributes {
    const value = fields.single.get(field) ?? null;
    switch (field) {
      case "status":
      case "resolution": {
        const status = fields.single.get("status") ?? this.#issue.firstStatus;
        const { name, group } = planeState(status, fields.single.get("resolution") ?? null);
        return { state_id: this.#id("states", name, group) };
      }
      case "priority":
        return { priority: planePriority(value ?? "") };
      case "assignee":
        return { assignee_ids: value ? [this.#id("users", value)] : [] };
      case "duedate":
        return { target_date: planeDate(value) };
      case "Story Points":
        return { estimate_point: value ? this.#id("estimates", value) : null };
      case "parent":
        return { parent_id: value ? this.#id("issues", value) : null };
      default:
        if (LABEL_FIELDS.includes(field)) return { label_ids: this.#labels(fields) };
        return { [planeKey(field)]: value };
    }
  }

  #labels({ single, sets }: Fields): string[] {
    const names = [...(sets.get("fixVersion") ?? []), ...(sets.get("component") ?? [])];
    const type = single.get("type");
    if (type) names.push(type);
    // Jira writes its labels into one string, with blanks between them.
    names.push(...(single.get("labels") ?? "").split(" ").filter((label) => label !== ""));
    return [...new Set(names)].map((name) => this.#id("labels", name));
  }

  /** Issues and people are the workspace's, all else is the project's. */
  #id(kind: LookupKind, name: string, group?: StateGroup): string {
    const scope = kind === "issues" || kind === "users" ? "" : `${this.#issue.project}/`;
    const id = this.#ids(kind === "issues" ? "issue" : kind, `${scope}${name}`);
    this.#lookups[kind][id] = group === undefined ? { name } : { name, group };
    return id;
  }

  #input(
    type: ChangeInput["type"],
    by: string | null,
    at: string,
    requested: Attributes,
    current: Attributes | null,
  ): ChangeInput {
    const actorId = this.#id("users", by ?? NOBODY);
    const lookups = this.#lookups;
    this.#lookups = emptyLookups();
    return {
      type,
      issueId: this.#ids("issue", this.#issue.key),
      projectId: this.#ids("project", this.#issue.project),
      workspaceId: this.#ids("workspace", ""),
      actorId,
      epoch: Date.parse(at) / 1_000,
      requested,
      current,
      lookups,
    };
  }
}

const emptyLookups = (): Record<LookupKind, Lookup> => ({
  states: {},
  labels: {},
  users: {},
  estimates: {},
  issues: {},
});
