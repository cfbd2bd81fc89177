/** The event `activity.recorded`: the entries of one change set, with what other engines need to read them alone. */
import { z } from "zod";
import { Activity, type ActivityEntries } from "./activity-entries.ts";
import {
  CHANGE_TYPES,
  type Change,
  Epoch,
  Id,
  MAX_ENTRIES,
  MAX_EPOCH_SECONDS,
  STATE_GROUPS,
} from "./change-set.ts";
import { lookUp } from "./read-values.ts";
import { warn } from "./recording.ts";

/** Written in JSON, a larger number is refused by whoever takes the event: a double can't hold them all. */
const Points = z.number().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);
const isPoints = (points: unknown) => Points.safeParse(points).success;

const RecordedState = z.object({
  name: z.string().describe("Its name, as the caller told it."),
  group: z.enum(STATE_GROUPS).describe("What it means."),
});

const CreatedItem = z.object({
  createdAtEpoch: z
    .number()
    .min(-MAX_EPOCH_SECONDS)
    .max(MAX_EPOCH_SECONDS)
    .describe("When it was created, UTC seconds since 1970."),
  stateId: z.string().optional().describe("Its first state."),
  points: z.union([Points, z.string()]).optional().describe('Its points; text for such as "XL".'),
  labels: z.array(z.string()).optional().describe("Ids of its labels."),
  cycleId: z.string().optional().describe("Its cycle."),
});

export const ActivityRecorded = z.object({
  workspaceId: Id.nullable().describe("The project's workspace, where the caller told it."),
  projectId: Id.describe("The item's project."),
  issueId: Id.describe("The item of the change set; where it names none, of the first entry."),
  type: z.enum(CHANGE_TYPES).describe("What kind of change it was, in Plane's words."),
  actorId: Id.describe("Who made the change."),
  epoch: Epoch,
  activities: z.array(Activity).max(MAX_ENTRIES).describe("The new entries."),
  states: z
    .record(z.string(), RecordedState)
    .describe(
      "Every state that occurs in the entries or the item and whose group the caller told.",
    ),
  item: CreatedItem.optional().describe("On creation: the item as the change set tells it."),
});
export type ActivityRecorded = z.output<typeof ActivityRecorded>;

/** The event of a change set; undefined when there is nothing to announce. */
export function activityRecorded(
  change: Change,
  entries: ActivityEntries,
): ActivityRecorded | undefined {
  const { activities } = entries;
  const [first] = activities;
  if (!first) return undefined;
  const item = change.type === "issue.activity.created" ? createdItem(change) : undefined;
  return {
    workspaceId: change.workspaceId,
    projectId: change.projectId,
    issueId: change.issueId ?? first.issueId,
    type: change.type,
    actorId: change.actorId,
    epoch: change.epoch,
    activities,
    states: statesOf(change, entries, item?.stateId),
    ...(item && { item }),
  };
}

function statesOf(change: Change, entries: ActivityEntries, createdIn: string | undefined) {
  const ids = new Set<string>();
  if (createdIn !== undefined) ids.add(createdIn);
  for (const { field, oldIdentifier, newIdentifier } of entries.activities) {
    if (field !== "state") continue;
    if (oldIdentifier !== null) ids.add(oldIdentifier);
    if (newIdentifier !== null) ids.add(newIdentifier);
  }
  const states: ActivityRecorded["states"] = {};
  for (const id of ids) {
    const known = lookUp({ change }, "states", id);
    if (known?.group) states[id] = { name: known.name, group: known.group };
    else if (known)
      warn(entries, "unknown_state_group", "lookups.states", `${JSON.stringify(id)} has no group`);
  }
  return states;
}

/** What a creation says of the item. Unusable parts are left out: the entries stand without them. */
function createdItem(change: Change): NonNullable<ActivityRecorded["item"]> {
  const { requested } = change;
  const stateId = idOrNothing(requested.stateId);
  const cycleId = idOrNothing(requested.cycleId);
  const points = pointsOf(change);
  const labels = Array.isArray(requested.labelIds)
    ? [...new Set(requested.labelIds.filter((id) => idOrNothing(id) !== undefined))].sort()
    : undefined;
  return {
    createdAtEpoch: epochOf(requested.createdAt) ?? change.epoch,
    ...(stateId !== undefined && { stateId }),
    ...(points !== undefined && { points }),
    ...(labels && { labels }),
    ...(cycleId !== undefined && { cycleId }),
  };
}

const idOrNothing = (value: unknown) =>
  typeof value === "string" && value !== "" ? value : undefined;

/** The points as sent, else the name of the estimate: a number where it is one, or text such as "XL". */
function pointsOf(change: Change): number | string | undefined {
  const { points, estimatePoint } = change.requested;
  if (typeof points === "number" && isPoints(points)) return points;
  const id = idOrNothing(estimatePoint);
  const name = id === undefined ? undefined : lookUp({ change }, "estimates", id)?.name.trim();
  if (!name) return undefined;
  return isPoints(Number(name)) ? Number(name) : name;
}

function epochOf(time: unknown): number | undefined {
  const epoch = typeof time === "string" ? Date.parse(time) / 1_000 : time;
  return typeof epoch === "number" && Math.abs(epoch) <= MAX_EPOCH_SECONDS ? epoch : undefined;
}
