/** The output of `record`: the entries, and what else the change set asks of its publisher. */
import { z } from "zod";
import { Epoch } from "./change-set.ts";

const Text = z.string().nullable();

/** One line of an item's history, with Plane's fields. */
export const Activity = z.object({
  id: z
    .string()
    .describe("A UUID derived from the job's id and the content: the same job makes the same id."),
  issueId: z.string().describe("The item whose history the entry belongs to."),
  verb: z.string().describe("created, updated or deleted; for the intake, its new status."),
  field: Text.describe("What changed, in Plane's words; null for the item as a whole."),
  oldValue: Text.describe("What entries show of the value before: a name, a date, a text."),
  newValue: Text.describe("What entries show of the value after."),
  oldIdentifier: Text.describe("The id of the value before, where it has one."),
  newIdentifier: Text.describe("The id of the value after, where it has one."),
  issueCommentId: Text.describe("The comment, where the entry is about one."),
  actorId: z.string().describe("Who made the change."),
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
  unknown_key: "A key is one edit away from a known one; it was ignored.",
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
  code: z
    .enum(Object.keys(WARNING_CODES) as [WarningCode, ...WarningCode[]])
    .describe("What kind of doubt it is."),
  field: z.string().describe("Path of the value that it is about."),
  message: z.string().describe("What is wrong with it, in words."),
});
export type Warning = z.output<typeof Warning>;

const Touched = z.object({
  activityId: z.string().describe("The entry."),
  epoch: z.number().describe("Its new time, UTC seconds since 1970."),
});

export const ActivityEntries = z.object({
  activities: z
    .array(Activity)
    .describe("The new entries, in the order in which they are to be shown."),
  subscribersAdded: z.array(z.string()).describe("Users who become subscribers of the item."),
  touched: z
    .array(Touched)
    .describe("Earlier entries whose time is refreshed instead of a new entry."),
  warnings: z.array(Warning).describe("What could not be used; everything else was."),
});
export type ActivityEntries = z.output<typeof ActivityEntries>;
