/** Inputs and outputs of `members`, `subscriptions` and `preferences`: what the engine keeps, to know who is told. */
import { alsoAs, anySpelling, KeyWarnings } from "@tl-engine/shared";
import { z } from "zod";
import { Warning } from "./recipients.ts";
import { CEILINGS, given, Id, Instant, LevelName, Switches, storable } from "./vocabulary.ts";

const UpdatedAt = Instant.describe(
  "Since when it is so, ISO-8601. Of two the later counts, whichever comes first.",
);
const WorkspaceId = Id.describe("The workspace that it belongs to.");

const TimeZone = storable(60)
  .refine(isTimeZone, { error: "must be a time zone of the IANA database, such as Europe/Madrid" })
  .describe("Their time zone, an IANA name. Default: UTC.");

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

const Person = z
  .object({
    id: Id.describe("The person."),
    name: storable(255).nullish().describe("How mails call them, as who made a change."),
    address: storable(320).nullish().describe("Where their mails go; without one they get none."),
    locale: storable(35).nullish().describe("Language of their mails: es, or else en."),
    timeZone: TimeZone.nullish(),
    active: z.boolean().default(true).describe("Others are told of nothing."),
    updatedAt: UpdatedAt,
  })
  .meta({ title: "Person", description: "A person, as far as telling them goes." });

const Gone = z
  .object({ id: Id.describe("The person."), updatedAt: UpdatedAt })
  .meta({ title: "Gone", description: "A person who is no longer there." });

export const MembersInput = anySpelling(
  z.object({
    workspaceId: WorkspaceId,
    projectId: Id.nullish().describe(
      "The project that they are members of. Without one only what is known of the persons changes; they are told of projects that they are members of alone.",
    ),
    put: z.array(Person).max(CEILINGS.itemsPerJob).default([]).describe("Who is there."),
    remove: z
      .array(Gone)
      .max(CEILINGS.itemsPerJob)
      .default([])
      .describe("Who has left the project; without one, who is no longer active anywhere."),
    keyWarnings: KeyWarnings,
  }),
);

const people = z.array(Id).max(CEILINGS.peoplePerItem);
const Followed = z
  .object({
    issueId: Id.describe("The item."),
    projectId: Id.describe("Its project."),
    key: alsoAs(storable(255).nullish(), "identifier").describe("As `PRJ-12`, for the mail."),
    name: storable(1_000).nullish().describe("Its title, for the mail."),
    createdBy: Id.nullish().describe("Who created it."),
    subscribers: people
      .optional()
      .describe("Who follows it: all of them, those of before no longer. Left out, they stay."),
    assignees: people
      .optional()
      .describe("Who it is assigned to, all of them. Left out, they stay."),
    updatedAt: UpdatedAt,
  })
  .meta({ title: "FollowedItem", description: "An item, and who is told of it." });

const Unfollowed = z
  .object({
    issueId: Id.describe("The item."),
    memberId: Id.optional().describe("Who no longer follows it. Default: nobody does."),
    updatedAt: UpdatedAt,
  })
  .meta({ title: "UnfollowedItem", description: "An item that somebody no longer follows." });

export const SubscriptionsInput = anySpelling(
  z
    .object({
      workspaceId: WorkspaceId,
      put: z.array(Followed).max(CEILINGS.itemsPerJob).default([]).describe("What is followed."),
      remove: z
        .array(Unfollowed)
        .max(CEILINGS.itemsPerJob)
        .default([])
        .describe("What is followed no longer."),
      keyWarnings: KeyWarnings,
    })
    .refine(
      ({ put }) =>
        put.reduce(
          (sum, { subscribers = [], assignees = [] }) =>
            sum + subscribers.length + assignees.length,
          0,
        ) <= FOLLOWERS_PER_JOB,
      { path: ["put"], error: "has more than 50,000 followers in all: send several jobs" },
    ),
);
const FOLLOWERS_PER_JOB = 50_000;

const MinuteOfDay = z.int().min(0).max(1_439);

const FROM = given("quietFrom", "quiet_from");
const TO = given("quietTo", "quiet_to");

export const PreferencesInput = anySpelling(
  z
    .object({
      workspaceId: WorkspaceId,
      memberId: Id.describe("Whose they are."),
      windowMinutes: z
        .int()
        .min(1)
        .max(1_440)
        .nullish()
        .describe("Minutes that a digest gathers, from 1 to a day's. Default: 5."),
      quietFrom: MinuteOfDay.nullish().describe(
        "When their quiet hours begin, minutes of their local day. Mails wait until these end.",
      ),
      quietTo: MinuteOfDay.nullish().describe("When they end; before the begin, on the next day."),
      level: LevelName.default("global"),
      switches: alsoAs(Switches.prefault({}), "prefs").describe("What is mailed to them."),
      updatedAt: UpdatedAt,
      keyWarnings: KeyWarnings,
    })
    .refine(({ quietFrom, quietTo }) => (quietFrom == null) === (quietTo == null), {
      path: ["quietTo"],
      error: "quiet hours have a begin and an end",
    })
    .meta({ not: { anyOf: [{ allOf: [FROM, { not: TO }] }, { allOf: [TO, { not: FROM }] }] } }),
);

export const KeptOutput = z.object({
  kept: z.int().describe("How many were new, or newer than what was known."),
  warnings: z.array(Warning).describe("Keys that were ignored, and are likely misspelt."),
});
