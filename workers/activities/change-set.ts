/** The input of `record`: one change of one work item, as its publisher saw it. */
import { z } from "zod";
import { canonicalChangeSet, type Data, isObject } from "./border.ts";

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

/** Elements that a list in `requested` or `current` may have: the items of the largest cycle, and more than Plane shows. */
export const MAX_LIST_ELEMENTS = 5_000;
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
  .refine((text) => !text.includes("\0"), "must not hold a NUL character");
export const Epoch = z
  .number()
  .min(0)
  .max(MAX_EPOCH_SECONDS, "must be in seconds, this looks like milliseconds")
  .describe("UTC seconds since 1970, fractions allowed");

const Named = z.object({ name: z.string().max(MAX_NAME_LENGTH) });
/** What look-ups tell of one id. A broken one counts as absent: it costs one entry its name. */
export const KNOWN = {
  states: Named.extend({ group: z.enum(STATE_GROUPS).optional().catch(undefined) }),
  labels: Named,
  users: Named,
  estimates: Named.extend({
    type: z.enum(["points", "categories", "time"]).optional().catch(undefined),
  }),
  issues: Named,
  cycles: Named,
  modules: Named,
} as const;
export type LookupKind = keyof typeof KNOWN;

/**
 * Names by id. Each is judged where an entry needs it, since most of those that a message carries are needed by none;
 * the contract tells their shape all the same.
 */
function names(kind: LookupKind, description?: string) {
  const shape = {
    type: "object",
    ...(description !== undefined && { description }),
    // When the contract is made, not when a worker starts.
    get additionalProperties() {
      const { $schema: _, ...named } = z.toJSONSchema(KNOWN[kind].nullable(), { io: "input" });
      return named;
    },
  } as const;
  type Names = Record<string, z.input<(typeof KNOWN)[typeof kind]> | null>;
  return z.unknown().meta(shape).optional() as unknown as z.ZodOptional<z.ZodType<Names, Names>>;
}

const Lookups = z.object({
  states: names("states"),
  labels: names("labels"),
  users: names("users"),
  estimates: names(
    "estimates",
    "The estimate's points by id; `type` is that of the scale, by default `points`",
  ),
  issues: names("issues", "`name` is what entries show of another item: IDENT-number"),
  cycles: names("cycles"),
  modules: names("modules"),
});

const LastActivity = z.object({
  id: Id,
  field: z.string().nullable().default(null),
  actorId: Id.nullable().default(null),
  epoch: Epoch,
});

// A record would judge each key as well.
const Values = z.looseObject({});

const Canonical = z
  .object({
    type: z.enum(CHANGE_TYPES),
    issueId: Id.nullable()
      .default(null)
      .describe("Required, except for cycles, modules and reactions to comments"),
    projectId: Id,
    workspaceId: Id.nullable().default(null),
    actorId: Id,
    epoch: Epoch,
    requested: Values.default({}).describe(
      "What was asked for: an object, or JSON of one; only known keys count, snake_case or camelCase",
    ),
    current: Values.nullable().default(null).describe("The same keys before the change"),
    lookups: Lookups.default({}),
    lastActivity: LastActivity.nullable()
      .default(null)
      .describe("The item's latest entry: a description edit by the same actor refreshes it"),
    coalesceWindowMs: z
      .number()
      .min(0)
      .optional()
      .describe("How old `lastActivity` may be to be refreshed; absent: any age, as in Plane"),
  })
  .superRefine((change, context) => {
    if (change.issueId === null && !TYPES_WITHOUT_ISSUE.has(change.type))
      context.addIssue({
        code: "custom",
        path: ["issueId"],
        message: `is required for ${change.type}`,
      });
    checkLists(change.requested, "requested", context);
    if (change.current) checkLists(change.current, "current", context);
    checkLookups(change.lookups, context);
  });

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
export const ChangeSet = z.preprocess(canonicalChangeSet, Canonical) as unknown as z.ZodType<
  Change,
  z.input<typeof Canonical>
>;
