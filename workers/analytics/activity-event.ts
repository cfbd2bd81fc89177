/** Turns the event `activity.recorded` into the input of `ingest`. */
import { z } from "zod";
import { CEILINGS, Group, Id } from "./schemas/vocabulary.ts";
import type { HistoryChange, IngestInput, IngestItem } from "./schemas.ts";

const Text = z.string().nullish();

/** One activity, as far as flow metrics care; unknown keys are ignored. */
const Activity = z.object({
  id: Text,
  issueId: Text,
  verb: Text,
  field: Text,
  oldValue: Text,
  newValue: Text,
  oldIdentifier: Text,
  newIdentifier: Text,
  epoch: z.number().nullish(),
});
type Activity = z.output<typeof Activity>;

/** The event, tolerant where it can be: one bad part must not cost the others. */
const ActivityRecorded = z.object({
  workspaceId: Text,
  projectId: z.string(),
  issueId: z.string(),
  epoch: z.number(),
  // Each may belong to an item of its own, and the creation is one more.
  activities: z.array(z.unknown()).max(CEILINGS.itemsPerJob - 1),
  states: z.record(z.string(), z.object({ group: Group.nullish() }).catch({})).catch({}),
  item: z.unknown().optional(),
});

/** The item on its creation. */
const CreatedItem = z.object({
  createdAtEpoch: z.number(),
  stateId: Text,
  points: z.union([z.number(), z.string()]).nullish(),
  labels: z.array(z.string()).nullish(),
  cycleId: Text,
});

/** Seconds, fractions allowed, to ISO; what is no time becomes text that `ingest` warns about. */
function isoOf(epochS: number): string {
  const date = new Date(Math.round(epochS * 1000));
  return Number.isNaN(date.getTime()) ? `epoch ${epochS}` : date.toISOString();
}

/**
 * What an activity changes, in `ingest`'s words; null when flow metrics don't care. States, labels
 * and cycles are told apart by their ids, an estimate by its value ("XL" included).
 */
function changeOf({ field, verb, oldValue, newValue, oldIdentifier, newIdentifier }: Activity) {
  switch (field) {
    case "state":
      return { field: "state", from: oldIdentifier ?? null, to: newIdentifier ?? null };
    case "labels":
      return { field: "label", from: oldIdentifier ?? null, to: newIdentifier ?? null };
    case "cycles":
      return { field: "cycle", from: oldIdentifier ?? null, to: newIdentifier ?? null };
    case "issue":
      return verb === "deleted" ? { field: "deleted", from: null, to: null } : null;
    default:
      // Plane's names over time: estimate_point, estimate_points, estimate_categories, …
      return field?.startsWith("estimate_")
        ? { field: "points", from: oldValue ?? null, to: newValue ?? null }
        : null;
  }
}

/**
 * Maps the event's body; throws a ZodError when its envelope is broken. A broken activity goes on
 * as it is, for `ingest` to warn about under its own rules.
 */
export function ingestInputOf(event: unknown): z.input<typeof IngestInput> {
  const { workspaceId, projectId, issueId, epoch, activities, states, item } =
    ActivityRecorded.parse(event);
  const histories = new Map<string, unknown[]>();
  const add = (owner: string, change: unknown) => {
    const history = histories.get(owner);
    if (history) history.push(change);
    else histories.set(owner, [change]);
  };
  for (const element of activities) {
    const { success, data: activity } = Activity.safeParse(element);
    if (!success) {
      add(issueId, element);
      continue;
    }
    const change = changeOf(activity);
    if (!change) continue;
    const id = activity.id ? { id: activity.id } : {};
    // A relation's second entry belongs to another item.
    add(activity.issueId || issueId, { ...id, ...change, at: isoOf(activity.epoch ?? epoch) });
  }
  const changed = [...histories].map(([id, history]) => ({
    id,
    history: history as z.input<typeof HistoryChange>[],
  }));
  return {
    workspaceId: workspaceId || null,
    projectId,
    states: Object.fromEntries(
      Object.entries(states)
        .filter(([id]) => Id.safeParse(id).success)
        .slice(0, CEILINGS.statesPerJob),
    ),
    // The creation is an element of its own, so that a broken one costs no change.
    items: item == null ? changed : [...changed, createdItem(issueId, item)],
  };
}

function createdItem(id: string, sent: unknown): z.input<typeof IngestItem> {
  const { data: item } = CreatedItem.safeParse(sent);
  if (!item) return { id, createdAt: "unreadable" };
  return {
    id,
    createdAt: isoOf(item.createdAtEpoch),
    state: item.stateId,
    points: item.points,
    labels: item.labels ?? [],
    cycle: item.cycleId,
  };
}
