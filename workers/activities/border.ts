/** The keys of `requested` and `current` that the engine knows, each with the spellings it is sent under; all others are ignored. */
import { alsoAs, describedAs, orJson } from "@tl-engine/shared";
import { z } from "zod";

/** Elements that a list in `requested` or `current` may have: the items of the largest cycle, and more than Plane shows. */
export const MAX_LIST_ELEMENTS = 5_000;

/** Any value, since an unusable one costs its own entry and nothing else. */
const value = (description: string, ...names: string[]) =>
  alsoAs(z.unknown().optional().meta({ description, maxItems: MAX_LIST_ELEMENTS }), ...names);

/** One item's place in a cycle or a module, as Django's serializer has it or plain. */
const Placed = {
  issueId: value("The item.", "issue"),
  cycleId: value("The cycle that it is put into.", "cycle"),
  moduleId: value("The module that it is put into.", "module"),
  oldCycleId: value("The cycle that it leaves."),
  newCycleId: value("The cycle that it goes into."),
};
const Placement = z
  .object({
    ...Placed,
    fields: describedAs(z.unknown(), z.object(Placed))
      .optional()
      .describe(
        "Where it is there, these keys count in its place: Django's serializer nests them.",
      ),
  })
  .meta({ title: "Placement", description: "One item that is put into a cycle or a module." });

const placements = (description: string) =>
  orJson(describedAs(z.unknown(), z.array(describedAs(z.unknown(), Placement))))
    .optional()
    .meta({ description, maxItems: MAX_LIST_ELEMENTS });

const DataShape = z
  .object({
    id: value(
      "Of what the change is about, where that is no item: a comment, a link, an attachment, a reaction.",
    ),
    name: value("The item's title."),
    priority: value("The item's priority: urgent, high, medium, low or none."),
    startDate: value("The item's first day, YYYY-MM-DD."),
    targetDate: value("The item's last day, YYYY-MM-DD."),
    stateId: value("The item's state.", "state"),
    parentId: value("The item above it.", "parent"),
    estimatePoint: value("The id of the item's estimate."),
    labelIds: value("Ids of all labels that the item has.", "labels"),
    assigneeIds: value("Ids of all users whom the item is assigned to.", "assignees"),
    descriptionHtml: value("The item's text; a change of mark-up that shows nothing is none."),
    archivedAt: value("When the item was archived; null when it is brought back."),
    automation: value("True where the item was archived by Plane's own automation."),
    closedTo: value("The state that Plane's automation closed the item to."),
    createdAt: value("When the item was created: ISO-8601, or seconds since 1970."),
    createdBy: value("Who is named as the item's creator."),
    points: value("The item's points as a number, where they are no estimate by id.", "point"),
    isDraft: value("False when a draft becomes an item."),
    commentHtml: value("The comment's text."),
    commentId: value("The comment.", "comment"),
    url: value("The link's address."),
    asset: value("The attachment's path."),
    reaction: value("The emoji of a reaction."),
    identifier: value("The id of a reaction that is taken back."),
    vote: value("1 for, -1 against."),
    status: value(
      "The intake's decision: -2 pending, -1 declined, 0 snoozed, 1 accepted, 2 duplicate.",
    ),
    relationType: value("blocked_by, blocking, duplicate, relates_to and their like."),
    relatedIssue: value("The item at the other end of a relation."),
    issues: value("Ids of the items of a relation, a cycle or a module."),
    issueId: value("The item, where the change set itself names none.", "issue"),
    moduleId: value("The module.", "module"),
    moduleIds: value("The item's modules. Not read: each is a change of its own."),
    moduleName: value("The module's name, which may be gone."),
    cycleId: value("The cycle.", "cycle"),
    cycleName: value("The cycle's name, which may be gone."),
    oldCycleId: value("The cycle that an item leaves."),
    newCycleId: value("The cycle that an item goes into."),
    updatedCycleIssues: placements("Items that move from one cycle to another."),
    createdCycleIssues: placements("Items that are put into a cycle and were in none."),
    createdModuleIssues: placements("Items that are put into a module."),
  })
  .meta({
    title: "Data",
    description: "One side of a change: only these keys count, and any others may be there.",
  });

export type DataKey = keyof z.input<typeof DataShape>;

/** `requested` or `current` under the engine's own keys, values still as sent. */
export type Data = { [Key in DataKey]?: unknown };

export const isObject = (sent: unknown): sent is Record<string, unknown> =>
  typeof sent === "object" && sent !== null && !Array.isArray(sent);

// A record would judge each key as well.
/** One side of a change, as an object or as JSON of one; what it holds is judged by who reads it. */
export const Values = orJson(describedAs(z.looseObject({}), DataShape));
