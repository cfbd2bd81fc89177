/** The output of `record`: the entries, and what else the change set asks of its publisher. */
import { z } from "zod";
import { Epoch } from "./change-set.ts";

/** One line of an item's history, with Plane's fields. */
export const Activity = z.object({
  id: z
    .string()
    .describe("A UUID derived from the job's id and the content: the same job makes the same id"),
  issueId: z.string(),
  verb: z.string().describe("created, updated or deleted; for the intake, its new status"),
  field: z.string().nullable(),
  oldValue: z.string().nullable(),
  newValue: z.string().nullable(),
  oldIdentifier: z.string().nullable(),
  newIdentifier: z.string().nullable(),
  issueCommentId: z.string().nullable(),
  actorId: z.string(),
  epoch: Epoch,
});
export type Activity = z.output<typeof Activity>;

export const WARNING_CODES = {
  conflicting_keys:
    "Two spellings of one key disagree; the preferred one, or the one with a value, counts.",
  invalid_value: "A value, or one element of a list, has no usable type; it alone is left out.",
  missing_current: "An update came without `current`: every old value counts as absent.",
  missing_issue: "An entry has no item to stand on; it alone is left out.",
  missing_value: "A key that the type of change needs is absent.",
  more_warnings: "There were more warnings than are reported.",
  unknown_cycle: "`lookups.cycles` has no such id; its entry has the id and no name.",
  unknown_estimate: "`lookups.estimates` has no such id; its entry has the id and no name.",
  unknown_issue: "`lookups.issues` has no such id; its entry has the id and no name.",
  unknown_label: "`lookups.labels` has no such id; its entry has the id and no name.",
  unknown_module: "`lookups.modules` has no such id; its entry has the id and no name.",
  unknown_state: "`lookups.states` has no such id; its entry has the id and no name.",
  unknown_state_group: "`lookups.states` has no group for the id; the event leaves that state out.",
  unknown_status: "The intake has no such status; its entry has no name for it.",
  unknown_user: "`lookups.users` has no such id; its entry has the id and no name.",
} as const;
export type WarningCode = keyof typeof WARNING_CODES;

export const Warning = z.object({
  code: z.enum(Object.keys(WARNING_CODES) as [WarningCode, ...WarningCode[]]),
  field: z.string(),
  message: z.string(),
});
export type Warning = z.output<typeof Warning>;

export const ActivityEntries = z.object({
  activities: z.array(Activity),
  subscribersAdded: z.array(z.string()).describe("Users who become subscribers of the item"),
  touched: z
    .array(z.object({ activityId: z.string(), epoch: z.number() }))
    .describe("Earlier entries whose time is refreshed instead of a new entry"),
  warnings: z.array(Warning),
});
export type ActivityEntries = z.output<typeof ActivityEntries>;
