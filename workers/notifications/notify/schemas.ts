/** Input, output and event of `notify`. */
import { anySpelling } from "@tl-engine/shared";
import { z } from "zod";
import { InAppNotification, Warning } from "../schemas/recipients.ts";
import { CEILINGS, Epoch, Id, storable } from "../schemas/vocabulary.ts";

const Value = z.string().max(CEILINGS.htmlCharacters).nullable().default(null);
const Identifier = z.string().nullable().default(null);

const RecordedEntry = z
  .object({
    id: Id.describe("The entry, as `activities` made it."),
    issueId: Id.describe("The item that it stands on."),
    verb: z.string().default("updated").describe("created, updated or deleted."),
    field: z.string().nullable().default(null).describe("What changed, in Plane's words."),
    oldValue: Value.describe("The value before, as entries show it."),
    newValue: Value.describe("The value after, as entries show it."),
    oldIdentifier: Identifier.describe("The id of the value before."),
    newIdentifier: Identifier.describe("The id of the value after."),
    actorId: Id.describe("Who made it."),
    epoch: Epoch,
  })
  .meta({ title: "RecordedEntry", description: "One entry of a change." });
export type RecordedEntry = z.output<typeof RecordedEntry>;

export const NotifyInput = anySpelling(
  z.object({
    workspaceId: Id.describe("The project's workspace."),
    projectId: Id.describe("The item's project."),
    issueId: Id.describe("The item."),
    type: storable(100).describe("What kind of change it was, in Plane's words."),
    actorId: Id.describe("Who made it; never told of it."),
    epoch: Epoch,
    activities: z
      .array(RecordedEntry)
      .max(CEILINGS.activitiesPerJob)
      .default([])
      .describe("Its entries."),
    isCreation: z.boolean().default(false).describe("Whether the item was created by it."),
    completedStateIds: z
      .array(Id)
      .max(CEILINGS.statesPerJob)
      .default([])
      .describe("States among its entries' that complete an item."),
  }),
);
export type NotifyInput = z.output<typeof NotifyInput>;

export const NotifyOutput = z.object({
  inApp: z.int().describe("Notifications in the application, told in `notification.created`."),
  mails: z.int().describe("Notifications that go into a digest."),
  newSubscribers: z.array(z.string()).describe("Who follows the item from now on."),
  warnings: z.array(Warning).describe("Doubts; the rest stands without them."),
});

/** Of one event: whoever takes events in batches has many of them in hand. */
export const MAX_EVENT_NOTIFICATIONS = 1_000;

export const NotificationCreated = z.object({
  workspaceId: z.string().describe("The project's workspace."),
  projectId: z.string().describe("The item's project."),
  issueId: z.string().describe("The item."),
  actorId: z.string().describe("Who made the change."),
  epoch: z.number().describe("When it was made, UTC seconds since 1970."),
  notifications: z
    .array(
      InAppNotification.extend({
        id: z
          .string()
          .describe("Of the receiver and the entry: the same notification has the same."),
      }).meta({ title: "CreatedNotification" }),
    )
    .max(MAX_EVENT_NOTIFICATIONS)
    .describe("Who is told of which entry, and why; of a large change in several events."),
  newSubscribers: z.array(z.string()).describe("Who follows the item from now on; in the first."),
});
