/** The event `activity.recorded`: the entries of one change set, with what other engines need to read them alone. */
import { z } from "zod";
import { Activity, type ActivityEntries } from "./activity-entries.ts";
import {
  Cause,
  CHANGE_TYPES,
  type Change,
  Epoch,
  Id,
  isId,
  MAX_EPOCH_SECONDS,
  STATE_GROUPS,
} from "./change-set.ts";
import { lookUp } from "./read-values.ts";
import { warn } from "./recording.ts";

/** Written in JSON, a larger number is refused by whoever takes the event: a double can't hold them all. */
const Points = z.number().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);
const isPoints = (points: unknown) => Points.safeParse(points).success;

/** Entries in one event: whoever takes events in batches has many of them in hand. */
export const MAX_EVENT_ENTRIES = 1_000;
/**
 * Bytes of the entries in one event, which makes it smaller than what an engine takes that says nothing else, 1 MiB.
 * An entry that is larger by itself (a long text, before and after) has an event of its own.
 */
export const MAX_EVENT_BYTES = 1_000_000;

const RecordedState = z.object({
  name: z.string().describe("Its name, as the caller told it."),
  group: z.enum(STATE_GROUPS).describe("What it means."),
});

const EventPart = z.object({
  number: z.int().min(1).describe("Which of them, from 1."),
  of: z.int().min(2).describe("How many there are."),
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
  activities: z.array(Activity).max(MAX_EVENT_ENTRIES).describe("The new entries."),
  part: EventPart.optional().describe(
    "Where the entries of a change set are too many or too large for one event: which of its events this is. Each can be read alone, in any order.",
  ),
  states: z
    .record(z.string(), RecordedState)
    .describe(
      "Every state that occurs in the entries or the item and whose group the caller told, in each part.",
    ),
  cause: Cause.optional().describe(
    "Where an automation made the change: the rules that led to it, as its publisher told them.",
  ),
  item: CreatedItem.optional().describe(
    "On creation: the item as the change set tells it; in the first part.",
  ),
});
export type ActivityRecorded = z.output<typeof ActivityRecorded>;

/** The events of a change set, in one part or several; none when there is nothing to announce. */
export function activityRecorded(change: Change, entries: ActivityEntries): ActivityRecorded[] {
  const { activities } = entries;
  const [first] = activities;
  if (!first) return [];
  const item = change.type === "issue.activity.created" ? createdItem(change) : undefined;
  const states = statesOf(change, entries, item?.stateId);
  const parts = inParts(activities, item);
  return parts.map((part, index) => ({
    workspaceId: change.workspaceId,
    projectId: change.projectId,
    issueId: change.issueId ?? first.issueId,
    type: change.type,
    actorId: change.actorId,
    epoch: change.epoch,
    activities: part,
    ...(parts.length > 1 && { part: { number: index + 1, of: parts.length } }),
    states,
    ...(change.cause && { cause: change.cause }),
    ...(item && index === 0 && { item }),
  }));
}

/** Neither too many nor too large, in their order. The first part holds the item as well. */
function inParts(activities: Activity[], item: ActivityRecorded["item"]): Activity[][] {
  const elements = activities.length + (item?.labels?.length ?? 0);
  if (elements <= FEW && !activities.some(isLong)) return [activities];
  let part: Activity[] = [];
  let bytes = item === undefined ? 0 : encodedBytes(item);
  const parts = [part];
  for (const activity of activities) {
    const size = encodedBytes(activity);
    const isFull = part.length === MAX_EVENT_ENTRIES || bytes + size > MAX_EVENT_BYTES;
    if (isFull && part.length > 0) {
      part = [];
      bytes = 0;
      parts.push(part);
    }
    part.push(activity);
    bytes += size;
  }
  return parts;
}

const FEW = 50;
/** So many characters, and fifty entries without more fit, however their ids and texts are encoded. */
const isLong = ({ oldValue, newValue }: Activity) =>
  (oldValue?.length ?? 0) + (newValue?.length ?? 0) > 1_000;
/** With what separates it from the next. */
export const encodedBytes = (value: object) => Buffer.byteLength(JSON.stringify(value)) + 1;

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
  typeof value === "string" && isId(value) ? value : undefined;

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
