/** Words of the contract that several schemas use, and the ceilings of all lists. */
import { storable } from "@tl-engine/shared";
import { z } from "zod";

export { storable } from "@tl-engine/shared";

/** Ceilings of lists. Past them a job is `invalid_input`, with the path of the list. */
export const CEILINGS = {
  activitiesPerJob: 1_000,
  membersPerJob: 10_000,
  peoplePerItem: 5_000,
  itemsPerJob: 1_000,
  statesPerJob: 5_000,
  /** Characters of a description, before and after. */
  htmlCharacters: 2_000_000,
  /** People mentioned in one text; more are left out with a warning. */
  mentionsPerText: 1_000,
  /** Notifications of one job, in the application and by mail together. */
  notificationsPerJob: 100_000,
} as const;

/** An opaque id of the tracker's, as long as `activities` announces them. */
export const Id = storable(255).min(1);

export const MAX_EPOCH_SECONDS = 99_999_999_999;
export const Epoch = z
  .number()
  .min(-MAX_EPOCH_SECONDS)
  .max(MAX_EPOCH_SECONDS)
  .describe("When it was made, UTC seconds since 1970; fractions are allowed.");

/** That a field is there and not null, under one of its spellings, in JSON Schema's words. */
export const given = (...names: string[]) => ({
  anyOf: names.map((name) => ({
    required: [name],
    properties: { [name]: { not: { type: "null" } } },
  })),
});

/** When what is told became so: of two, the later counts, whichever comes first. */
export const Instant = z.iso
  .datetime({ offset: true })
  .refine((text) => Math.abs(Date.parse(text)) <= MAX_EPOCH_SECONDS * 1_000, {
    error: "must lie before the year 5138",
  });

/** What a person can switch off, as Plane has it; all default on. */
export const Switches = z
  .object({
    propertyChange: z.boolean().default(true).describe("Mail about any other change of an item."),
    stateChange: z.boolean().default(true).describe("Mail about a change of state."),
    issueCompleted: z.boolean().default(true).describe("Mail about an item that is done."),
    comment: z.boolean().default(true).describe("Mail about comments."),
    mention: z.boolean().default(true).describe("Mail about being mentioned."),
  })
  .meta({ title: "Switches", description: "What is mailed to a person." });
export type Switches = z.output<typeof Switches>;

/**
 * How much a person is told of, as GitLab has it. `global` (by the switches alone, as in Plane), `watch` (every change
 * of a project's items, subscribed or not), `participate` (items that they created or are assigned to, and mentions),
 * `mention` (mentions alone), `off` (nothing), `custom` (only the kinds whose switches are on, in the application too).
 */
export const LEVELS = ["global", "watch", "participate", "mention", "off", "custom"] as const;
export type Level = (typeof LEVELS)[number];
export const LevelName = z
  .enum(LEVELS)
  .describe(
    "How much they are told of: `global` (by the switches alone), `watch` (every change, subscribed or not), `participate` (what they created or are assigned to, and mentions), `mention`, `off`, or `custom` (only kinds whose switches are on, in the application too).",
  );

/** Why somebody is told. */
export const REASONS = ["created", "assigned", "subscribed", "mentioned", "watching"] as const;
export type Reason = (typeof REASONS)[number];

/** What kind of change it is to a receiver, by which their switches go. */
export const KINDS = [
  "property_change",
  "state_change",
  "issue_completed",
  "comment",
  "mention",
] as const;
export type Kind = (typeof KINDS)[number];
