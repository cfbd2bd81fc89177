/** Input and output of `recipients`. */
import { alsoAs, anySpelling, KeyWarnings } from "@tl-engine/shared";
import { z } from "zod";
import {
  CEILINGS,
  Epoch,
  Id,
  Instant,
  KINDS,
  LevelName,
  REASONS,
  Switches,
  storable,
} from "./vocabulary.ts";

const people = z.array(Id).max(CEILINGS.peoplePerItem);
const Html = z.string().max(CEILINGS.htmlCharacters);

const Entry = z
  .object({
    id: Id.describe("The entry, as `activities` made it."),
    issueId: alsoAs(Id.optional(), "issue").describe(
      "The item that it stands on. Default: the job's; entries of others tell nobody here.",
    ),
    verb: storable(100).default("updated").describe("created, updated or deleted."),
    field: storable(255).nullable().default(null).describe("What changed, in Plane's words."),
    oldValue: Html.nullable().default(null).describe("The value before, as entries show it."),
    newValue: Html.nullable().default(null).describe("The value after, as entries show it."),
    oldIdentifier: storable(255).nullable().default(null).describe("The id of the value before."),
    newIdentifier: storable(255).nullable().default(null).describe("The id of the value after."),
    actorId: alsoAs(Id.optional(), "actor").describe("Who made it. Default: the job's actor."),
    epoch: Epoch.default(0),
    createdAt: Instant.optional().describe(
      "When the entry was written, ISO-8601: finer than `epoch`. It says which entry is the latest.",
    ),
  })
  .meta({ title: "Entry", description: "One entry of the change." });

const Member = z
  .object({
    id: Id.describe("The person."),
    active: z.boolean().default(true).describe("Others are told of nothing."),
    switches: alsoAs(Switches.prefault({}), "prefs").describe("What is mailed to them."),
    level: LevelName.default("global"),
  })
  .meta({ title: "ProjectMember", description: "A member of the project." });

const Issue = z
  .object({
    id: Id.describe("The item."),
    key: alsoAs(storable(255).nullish(), "identifier").describe("As `PRJ-12`, for the mail."),
    name: storable(1_000).nullish().describe("Its title, for the mail."),
    createdBy: Id.nullish().describe("Who created it."),
  })
  .meta({ title: "Item", description: "The item that was changed." });

export const RecipientsInput = anySpelling(
  z.object({
    workspaceId: Id.nullish().describe("The project's workspace."),
    projectId: Id.nullish().describe("The item's project."),
    type: storable(100).describe(
      "What kind of change it was, in Plane's words: `issue.activity.updated`. Reactions, votes, drafts, cycles and modules tell nobody, nor does a deletion.",
    ),
    issue: Issue,
    actorId: Id.describe("Who made the change; never told of it."),
    subscriber: z
      .boolean()
      .default(true)
      .describe("Whether the actor follows the item from now on."),
    activities: z.array(Entry).max(CEILINGS.activitiesPerJob).default([]).describe("Its entries."),
    assignees: people.default([]).describe("Who the item is assigned to."),
    subscribers: people.default([]).describe("Who follows the item."),
    members: z
      .array(Member)
      .max(CEILINGS.membersPerJob)
      .default([])
      .describe("The project's members; whoever is none is told of nothing."),
    completedStateIds: z
      .array(Id)
      .max(CEILINGS.statesPerJob)
      .default([])
      .describe("The project's states that complete an item."),
    requestedHtml: Html.nullish().describe(
      "The description after the change, where it is about it.",
    ),
    currentHtml: Html.nullish().describe("The description before it."),
    keyWarnings: KeyWarnings,
  }),
);
export type RecipientsInput = z.output<typeof RecipientsInput>;

const Receiver = z.string().describe("Who is told.");
const Why = z
  .enum(REASONS)
  .describe(
    "Why: they `created` it, it is `assigned` to them, they `subscribed`, were `mentioned`, or are `watching` the project.",
  );
const Which = z.string().describe("The entry that they are told of.");

export const InAppNotification = z
  .object({ receiverId: Receiver, reason: Why, activityId: Which })
  .meta({ title: "InAppNotification", description: "One notification in the application." });

export const WARNING_CODES = {
  too_many_mentions: "A text mentions more people than are read; the first are told.",
  too_many_notifications: "There are more than a job may have; the rest is left out.",
  unknown_key: "A key is one edit away from a known one; it was ignored.",
  conflicting_keys: "Two spellings of one key disagree; the preferred one counts.",
} as const;
export type WarningCode = keyof typeof WARNING_CODES;
export const Warning = z
  .object({
    code: z
      .enum(Object.keys(WARNING_CODES) as [WarningCode, ...WarningCode[]])
      .describe("What kind of doubt it is."),
    field: z.string().describe("Path of the value that it is about."),
    message: z.string().describe("What is wrong with it, in words."),
  })
  .meta({ title: "NotificationWarning", description: "A doubt about a part of the input." });
export type Warning = z.output<typeof Warning>;

export const RecipientsOutput = z.object({
  inApp: z.array(InAppNotification).describe("Who is told in the application, of which entry."),
  email: z
    .array(
      z
        .object({
          receiverId: Receiver,
          reason: Why,
          activityId: Which,
          kind: z.enum(KINDS).describe("The switch by which it is mailed."),
          field: z.string().nullable().describe("`mention`, or what the entry changed."),
        })
        .meta({ title: "MailNotification", description: "One notification by mail." }),
    )
    .describe("Who is told by mail."),
  newSubscribers: z.array(z.string()).describe("Who follows the item from now on."),
  mentionsAdded: z.array(z.string()).describe("Members newly mentioned in the description."),
  mentionsRemoved: z.array(z.string()).describe("Members no longer mentioned there."),
  warnings: z.array(Warning).describe("Doubts; the rest stands without them."),
});
