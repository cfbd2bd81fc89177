/** Who should have been told what, by one pass over the entries: plain, and without the engine's judgement. */
import type { ActivitiesRecordOutput } from "../../../shared/client/contract.ts";
import type { Audience, FollowedItem, Reader } from "./audience.ts";
import type { PlannedJob } from "./plan.ts";

export interface Told {
  /** `<receiver> <activity> <reason>` of each notification in the application. */
  inApp: Set<string>;
  /** `<receiver> <activity>` of what is mailed. */
  mailed: Set<string>;
}

export function tellHere(
  jobs: readonly PlannedJob[],
  outputs: ReadonlyMap<string, ActivitiesRecordOutput>,
  audience: Audience,
): Told {
  const told: Told = { inApp: new Set(), mailed: new Set() };
  const readers = new Map(audience.readers.map((reader) => [reader.id, reader]));
  for (const job of jobs) {
    const { issueId, actorId } = job.input;
    const item = audience.items.get(issueId) as FollowedItem;
    const mentioned = audience.mentions.get(job.id);
    for (const entry of outputs.get(job.id)?.activities ?? []) {
      // What stands on another item is that one's.
      if (entry.issueId !== issueId) continue;
      if (mentioned !== undefined && mentioned !== actorId) {
        told.inApp.add(`${mentioned} ${entry.id} mentioned`);
        told.mailed.add(`${mentioned} ${entry.id}`);
      }
      for (const follower of item.subscribers) {
        const reader = readers.get(follower);
        // Nobody is told of what they did, nor twice of a mention; some want to hear of theirs or of mentions alone.
        if (follower === actorId || follower === mentioned) continue;
        if (reader !== undefined && reader.level !== "global") continue;
        const reason = follower === item.createdBy ? "created" : "subscribed";
        told.inApp.add(`${follower} ${entry.id} ${reason}`);
        if (reader !== undefined && wantsMail(reader, entry.field))
          told.mailed.add(`${follower} ${entry.id}`);
      }
    }
  }
  return told;
}

const wantsMail = ({ propertyChange }: Reader, field: string | null) =>
  propertyChange || field === "state" || field === "comment";
