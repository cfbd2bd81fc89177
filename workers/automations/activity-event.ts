/** Turns the event `activity.recorded` into the input of `react`. */
import { z } from "zod";
import { fieldNamed } from "./rules/fields.ts";
import type { ReactInput } from "./schemas/keep.ts";
import { CEILINGS, Id } from "./schemas/vocabulary.ts";

const Text = z.string().nullish();

/** One activity, as far as rules care; unknown keys are ignored. */
const Activity = z.object({
  issueId: Text,
  actorId: Text,
  verb: Text,
  field: Text,
  oldValue: Text,
  newValue: Text,
  oldIdentifier: Text,
  newIdentifier: Text,
});
type Activity = z.output<typeof Activity>;

/** Tolerant where it can be: one bad part must not cost the others. */
const ActivityRecorded = z.object({
  workspaceId: Text,
  projectId: z.string(),
  issueId: z.string(),
  type: z.string(),
  actorId: Text,
  epoch: z.number(),
  activities: z.array(z.unknown()).max(CEILINGS.changesPerEvent),
  states: z.record(z.string(), z.object({ group: Text })).catch({}),
  item: z.unknown().optional(),
  cause: z
    .object({ depth: z.number().catch(0), path: z.array(z.string()).catch([]) })
    .optional()
    .catch(undefined),
});
type ActivityRecorded = z.output<typeof ActivityRecorded>;
type HappenedTo = z.input<typeof ReactInput>["items"] extends (infer Item)[] ? Item : never;

/** What an event of each kind is to rules; a draft is no item yet. */
const KINDS: Record<string, string> = {
  issue: "item",
  comment: "comment",
  link: "link",
  attachment: "attachment",
  issue_relation: "relation",
  issue_reaction: "reaction",
  comment_reaction: "reaction",
  issue_vote: "vote",
  intake: "intake",
};

/** `item.updated` for `cycle.activity.created`: the item is in another cycle. Undefined is nothing to rules. */
function eventType(type: string): string | undefined {
  const [kind = "", , verb = ""] = type.split(".");
  if (kind === "cycle" || kind === "module") return "item.updated";
  return Object.hasOwn(KINDS, kind) ? `${KINDS[kind]}.${verb}` : undefined;
}

/** Maps the event's body; throws a ZodError when its envelope is broken. A broken activity is left out. */
export function reactInputOf(sent: unknown): unknown {
  const event = ActivityRecorded.parse(sent);
  const { workspaceId, projectId, issueId, actorId, epoch, cause } = event;
  const type = eventType(event.type);
  const items = new Map<string, HappenedTo>();
  const happenedTo = (id: string): HappenedTo => {
    const known = items.get(id);
    if (known) return known;
    const made: HappenedTo = { id, type: type ?? "", changes: [], known: {} };
    items.set(id, made);
    return made;
  };
  for (const element of type === undefined ? [] : event.activities) {
    const { success, data: activity } = Activity.safeParse(element);
    // A relation's second entry belongs to another item.
    const owner = (success && activity.issueId) || issueId;
    if (success && Id.safeParse(owner).success) tell(happenedTo(owner), activity, event);
  }
  if (type === "item.created" && event.item != null)
    tellCreation(happenedTo(issueId), event.item, event);
  return {
    workspaceId: workspaceId || null,
    projectId,
    actorId: actorId || null,
    epoch,
    depth: Math.min(1_000, Math.max(0, Math.trunc(cause?.depth ?? 0))),
    path: (cause?.path ?? []).slice(-CEILINGS.depth),
    items: [...items.values()],
  };
}

function tell(item: HappenedTo, activity: Activity, { states, epoch }: ActivityRecorded): void {
  const { field, verb, oldValue, newValue, oldIdentifier, newIdentifier } = activity;
  const add = (name: string, from: unknown, to: unknown) =>
    item.changes?.push({ field: name, from: (from || null) as null, to: (to || null) as null });
  switch (field) {
    case "issue":
      item.deleted = verb === "deleted";
      return;
    case "comment":
      item.comment = newValue?.slice(0, CEILINGS.textLength);
      return;
    case "state":
      add("state", oldIdentifier, newIdentifier);
      add("stateGroup", groupOf(states, oldIdentifier), groupOf(states, newIdentifier));
      return;
    case "parent":
    case "labels":
    case "assignees":
    case "cycles":
    case "modules":
      add(field, oldIdentifier, newIdentifier);
      return;
    case "archived_at":
      add(field, isoOf(oldValue && epoch), isoOf(newValue !== "restore" && epoch));
      return;
    case "description":
    case "name":
      add(
        field,
        oldValue?.slice(0, CEILINGS.keptTextLength),
        newValue?.slice(0, CEILINGS.keptTextLength),
      );
      return;
    default:
      // Plane's names over time: estimate_point, estimate_points, estimate_categories, …
      if (field?.startsWith("estimate_")) add("points", oldValue, newValue);
      else if (field && fieldNamed(field)) add(field, oldValue, newValue);
  }
}

const groupOf = (states: ActivityRecorded["states"], id: string | null | undefined) =>
  id && Object.hasOwn(states, id) ? states[id]?.group : null;

/** What is no time is none. */
function isoOf(epochS: unknown): string | null {
  const date = new Date(typeof epochS === "number" ? Math.round(epochS * 1_000) : Number.NaN);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** The item on its creation. Each part may be missing or broken without costing the others. */
const CreatedItem = z.object({
  createdAtEpoch: z.number().optional().catch(undefined),
  stateId: Text.catch(undefined),
  points: z.union([z.number(), z.string()]).nullish().catch(undefined),
  labels: z.array(z.string()).nullish().catch(undefined),
  cycleId: Text.catch(undefined),
});

function tellCreation(item: HappenedTo, sent: unknown, event: ActivityRecorded): void {
  const { data: created } = CreatedItem.safeParse(sent);
  if (!created) return;
  const { createdAtEpoch = event.epoch, stateId, points, labels, cycleId } = created;
  item.known = {
    createdAt: isoOf(createdAtEpoch),
    createdBy: creatorOf(event),
    ...(stateId && { state: stateId, stateGroup: groupOf(event.states, stateId) }),
    ...(points != null && { points }),
    ...(labels && { labels: labels.slice(0, CEILINGS.idsPerField) }),
    ...(cycleId && { cycle: cycleId }),
  };
}

/** Whom the creation's own entry names, which need not be who sent it. */
function creatorOf({ activities, actorId }: ActivityRecorded): string | null {
  for (const element of activities) {
    const { data } = Activity.safeParse(element);
    if (data?.verb === "created" && data.field == null) return data.actorId || (actorId ?? null);
  }
  return actorId ?? null;
}
