/** The input of `record`: one change of one work item, as its publisher saw it. */
import { alsoAs, anySpelling, describedAs, KeyWarnings } from "@tl-engine/shared";
import { z } from "zod";
import { type Data, isObject, MAX_LIST_ELEMENTS, Values } from "./border.ts";

export { MAX_LIST_ELEMENTS } from "./border.ts";

/** The 27 types of change that Plane records. */
export const CHANGE_TYPES = [
  "issue.activity.created",
  "issue.activity.updated",
  "issue.activity.deleted",
  "comment.activity.created",
  "comment.activity.updated",
  "comment.activity.deleted",
  "link.activity.created",
  "link.activity.updated",
  "link.activity.deleted",
  "attachment.activity.created",
  "attachment.activity.deleted",
  "cycle.activity.created",
  "cycle.activity.deleted",
  "module.activity.created",
  "module.activity.deleted",
  "issue_relation.activity.created",
  "issue_relation.activity.deleted",
  "issue_reaction.activity.created",
  "issue_reaction.activity.deleted",
  "comment_reaction.activity.created",
  "comment_reaction.activity.deleted",
  "issue_vote.activity.created",
  "issue_vote.activity.deleted",
  "issue_draft.activity.created",
  "issue_draft.activity.updated",
  "issue_draft.activity.deleted",
  "intake.activity.created",
] as const;
export type ChangeType = (typeof CHANGE_TYPES)[number];

/** Plane sends these without an item: their entries' items stand in `requested` or `current`. */
const TYPES_WITHOUT_ISSUE: ReadonlySet<ChangeType> = new Set<ChangeType>([
  "cycle.activity.created",
  "cycle.activity.deleted",
  "module.activity.created",
  "module.activity.deleted",
  "comment_reaction.activity.created",
  "comment_reaction.activity.deleted",
]);

/** Names that each kind of look-up may hold: those of two lists. */
export const MAX_LOOKUP_NAMES = 2 * MAX_LIST_ELEMENTS;
/** Characters of a name, as in Plane. One name may stand in thousands of entries. */
export const MAX_NAME_LENGTH = 255;
/** Characters of an id. */
export const MAX_ID_LENGTH = 255;
/** A later epoch is surely in milliseconds (the limit is in the year 5138). */
export const MAX_EPOCH_SECONDS = 99_999_999_999;

export const STATE_GROUPS = ["backlog", "unstarted", "started", "completed", "cancelled"] as const;

/** Whether a text can be an id: whoever stores one in Postgres can't store a NUL. */
export const isId = (text: string) =>
  text !== "" && text.length <= MAX_ID_LENGTH && !text.includes("\0");

/** Of this engine's input and of its event: those that take the event rely on the same limits. */
export const Id = z
  .string()
  .min(1)
  .max(MAX_ID_LENGTH)
  .refine((text) => !text.includes("\0"), "must not hold a NUL character")
  .meta({ pattern: "^[^\\u0000]*$" });
export const Epoch = z
  .number()
  .min(0)
  .max(MAX_EPOCH_SECONDS, "must be in seconds, this looks like milliseconds")
  .describe("UTC seconds since 1970, fractions allowed.");

const Named = z.object({
  name: z.string().max(MAX_NAME_LENGTH).describe("What entries show of it."),
});
/** What look-ups tell of one id. A broken one counts as absent: it costs one entry its name. */
export const KNOWN = {
  states: Named.extend({
    group: z
      .enum(STATE_GROUPS)
      .optional()
      .catch(undefined)
      .describe("What the state means; without it the event leaves the state out."),
  }),
  labels: Named,
  users: Named,
  estimates: Named.extend({
    type: z
      .enum(["points", "categories", "time"])
      .optional()
      .catch(undefined)
      .describe("The estimate's scale, by default `points`."),
  }),
  issues: Named,
  cycles: Named,
  modules: Named,
} as const;
export type LookupKind = keyof typeof KNOWN;

/** Names by id. Each is judged where an entry needs it, since most of those that a message carries are needed by none. */
const names = (kind: LookupKind, description: string) =>
  describedAs(
    z.unknown().meta({ type: "object" }) as z.ZodType<Record<string, unknown>>,
    z
      .record(z.string(), KNOWN[kind].nullable().catch(null))
      .meta({ maxProperties: MAX_LOOKUP_NAMES }),
  )
    .optional()
    .describe(description);

const Lookups = z.object({
  states: names("states", "Names and groups of states, by id."),
  labels: names("labels", "Names of labels, by id."),
  users: names("users", "Names of users, by id."),
  estimates: names("estimates", "Names of the estimate's points, by id."),
  issues: names("issues", "Names of other items, such as `SHOP-7`, by id."),
  cycles: names("cycles", "Names of cycles, by id."),
  modules: names("modules", "Names of modules, by id."),
});

const LastActivity = z.object({
  id: Id.describe("The entry's id."),
  field: z.string().nullable().default(null).describe("The field that it is about."),
  actorId: Id.nullable().default(null).describe("Who made it."),
  epoch: Epoch,
});

const CHANGES_WITH_ISSUE = CHANGE_TYPES.filter((type) => !TYPES_WITHOUT_ISSUE.has(type));
/** As {@link checkIssue} has it, in JSON Schema's words. */
const ISSUE_REQUIRED = {
  if: { required: ["type"], properties: { type: { enum: CHANGES_WITH_ISSUE } } },
  // biome-ignore lint/suspicious/noThenProperty: it is JSON Schema's
  then: {
    anyOf: ["issueId", "issue_id"].map((name) => ({
      required: [name],
      properties: { [name]: { type: "string" } },
    })),
  },
};

/** How an automation came to make a change. The engine hands it on and looks at nothing in it. */
export const Cause = z.object({
  depth: z.int().min(0).max(1_000).describe("How many rules led to it."),
  path: z.array(Id).max(20).default([]).describe("Those rules, the first one first."),
});

const Canonical = z
  .object({
    type: z.enum(CHANGE_TYPES).describe("What kind of change it is, in Plane's words."),
    issueId: Id.nullable()
      .default(null)
      .describe("The item. Required, except for cycles, modules and reactions to comments."),
    projectId: Id.describe("The item's project."),
    workspaceId: Id.nullable().default(null).describe("The project's workspace; the event has it."),
    actorId: Id.describe("Who made the change."),
    epoch: Epoch,
    requested: alsoAs(
      Values.default({}).describe(
        "What was asked for: an object, or JSON of one. Only known keys count.",
      ),
      "requested_data",
    ),
    current: alsoAs(
      Values.nullable()
        .default(null)
        .describe("The same keys before the change: an object, or JSON of one."),
      "current_instance",
    ),
    lookups: Lookups.default({}).describe(
      "Names of what the change is about; all may be left out.",
    ),
    lastActivity: LastActivity.nullable()
      .default(null)
      .describe("The item's latest entry: a description edit by the same actor refreshes it."),
    cause: Cause.nullish().describe(
      "Where an automation made the change: what `automation.fired` says of it, so that rules that set off each other end.",
    ),
    coalesceWindowMs: z
      .number()
      .min(0)
      .optional()
      .describe(
        "How old `lastActivity` may be to be refreshed, in milliseconds; absent: any age, as in Plane.",
      ),
    keyWarnings: KeyWarnings,
  })
  .superRefine((change, context) => {
    checkIssue(change, context);
    checkLists(change.requested, "requested", context);
    if (change.current) checkLists(change.current, "current", context);
    checkLookups(change.lookups, context);
  })
  .meta(ISSUE_REQUIRED);

function checkIssue(
  { issueId, type }: { issueId: string | null; type: ChangeType },
  context: z.RefinementCtx,
): void {
  if (issueId !== null || TYPES_WITHOUT_ISSUE.has(type)) return;
  const message = `is required for ${type}`;
  context.addIssue({ code: "custom", path: ["issueId"], message });
}

function checkLists(values: object, side: string, context: z.RefinementCtx): void {
  for (const [key, value] of Object.entries(values)) {
    if (!Array.isArray(value) || value.length <= MAX_LIST_ELEMENTS) continue;
    const message = `at most ${MAX_LIST_ELEMENTS} elements, got ${value.length}`;
    context.addIssue({ code: "custom", path: [side, key], message });
  }
}

function checkLookups(lookups: Lookups, context: z.RefinementCtx): void {
  for (const [kind, byId] of Object.entries(lookups)) {
    if (byId === undefined) continue;
    const count = isObject(byId) ? Object.keys(byId).length : Number.NaN;
    if (count <= MAX_LOOKUP_NAMES) continue;
    const message = Number.isNaN(count)
      ? "must be an object of names by id"
      : `at most ${MAX_LOOKUP_NAMES} names, got ${count}`;
    context.addIssue({ code: "custom", path: ["lookups", kind], message });
  }
}

export type Lookups = z.output<typeof Lookups>;

/** A change set as the recorders see it: canonical keys, values still as sent. */
export interface Change extends Omit<z.output<typeof Canonical>, "requested" | "current"> {
  requested: Data;
  current: Data | null;
}

/** Takes Plane's snake_case message as it is sent today, or the camelCase of this schema. */
export const ChangeSet = anySpelling(Canonical) as unknown as z.ZodType<
  Change,
  Omit<z.input<typeof Canonical>, "keyWarnings">
>;
