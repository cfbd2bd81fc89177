/** Turns the event `activity.recorded` into the input of `notify`. */
import { z } from "zod";
import { CEILINGS, Epoch, Id, storable } from "../schemas/vocabulary.ts";

const Text = z.string().nullish();

const Value = z.string().max(CEILINGS.htmlCharacters).nullish().catch(null);
/** Of the change, where the entry has none. */
const OwnId = Id.or(z.literal("")).nullish();

/** One entry, as far as telling people goes; unknown keys are ignored. What stands on no item that can be is nobody's. */
const Entry = z.object({
  id: Id,
  issueId: OwnId,
  verb: Text,
  field: Text,
  oldValue: Value,
  newValue: Value,
  oldIdentifier: Text,
  newIdentifier: Text,
  actorId: OwnId.catch(null),
  epoch: Epoch.nullish().catch(null),
});

/** The event, tolerant where it can be: one bad entry must not cost the others. */
const ActivityRecorded = z.object({
  workspaceId: OwnId.catch(null),
  projectId: Id,
  issueId: Id,
  type: storable(100),
  actorId: Id,
  epoch: Epoch,
  activities: z.array(z.unknown()).max(CEILINGS.activitiesPerJob),
  states: z.record(z.string(), z.object({ group: Text }).catch({})).catch({}),
  item: z.unknown().optional(),
});

const COMPLETED = "completed";

export function notifyInputOf(event: unknown) {
  const { activities, states, item, workspaceId, ...change } = ActivityRecorded.parse(event);
  const entries = activities.flatMap((sent) => {
    const { success, data } = Entry.safeParse(sent);
    return success ? [{ ...data, issueId: data.issueId || change.issueId }] : [];
  });
  return {
    ...change,
    // One that the caller did not tell is none of anybody's: the project stands for it.
    workspaceId: workspaceId || change.projectId,
    activities: entries.map((entry) => ({
      id: entry.id,
      issueId: entry.issueId,
      verb: entry.verb ?? "updated",
      field: entry.field ?? null,
      oldValue: entry.oldValue ?? null,
      newValue: entry.newValue ?? null,
      oldIdentifier: entry.oldIdentifier ?? null,
      newIdentifier: entry.newIdentifier ?? null,
      actorId: entry.actorId || change.actorId,
      epoch: entry.epoch ?? change.epoch,
    })),
    isCreation: item != null,
    completedStateIds: Object.entries(states)
      .flatMap(([id, { group }]) => (group === COMPLETED && Id.safeParse(id).success ? [id] : []))
      .slice(0, CEILINGS.statesPerJob),
  };
}
