/** Inputs and outputs of `rules`, `items` and `react`, and the event `automation.fired`: what makes rules work by themselves. */
import { anySpelling, describedAs, KeyWarnings } from "@tl-engine/shared";
import { z } from "zod";
import { FiredAction } from "./evaluate.ts";
import { Rules } from "./rule.ts";
import { CEILINGS, Epoch, Id, Warning } from "./vocabulary.ts";

const Version = z
  .int()
  .min(0)
  .max(Number.MAX_SAFE_INTEGER)
  .describe("Higher ones count, in whatever order they come; a time in milliseconds will do.");

const warnings = z.array(Warning).describe("What was left out, and why; the first 100 of them.");
const warningsTotal = z.int().describe("How many warnings there were.");

export const RulesInput = anySpelling(
  z.object({
    workspaceId: Id.describe("Whose rules they are."),
    put: z
      .array(
        z.object({
          id: Id.describe("The set's id within the workspace."),
          version: Version,
          projectId: Id.nullish().describe("The only project that they are for; absent is every."),
          rules: Rules,
        }),
      )
      .max(CEILINGS.setsPerJob)
      .default([])
      .describe("Sets, each in the place of what it was before."),
    remove: z
      .array(
        z.object({
          id: Id.describe("The set's id."),
          version: Version,
        }),
      )
      .max(CEILINGS.setsPerJob)
      .default([])
      .describe("Sets that are gone as of that version."),
    keyWarnings: KeyWarnings,
  }),
);
export type RulesInput = z.output<typeof RulesInput>;

export const RulesOutput = z.object({
  stored: z.int().describe("Sets that were put or removed."),
  stale: z.int().describe("Sets of which the same or a later version was there already."),
  rules: z.int().describe("Good rules in the sets that were put."),
  warnings,
  warningsTotal,
});
export type RulesOutput = z.output<typeof RulesOutput>;

const At = z.iso.datetime({ offset: true });

const PutItem = z
  .object({
    id: Id.describe("The item."),
    at: At.describe("When it was so, ISO-8601."),
    fields: z
      .record(z.string(), z.unknown())
      .describe(
        "Its fields, in the engine's or Plane's names; those that are absent stay as they are known.",
      ),
  })
  .meta({ title: "KnownItem", description: "What is known of an item." });
export const KnownItem = PutItem;

export const ItemsInput = anySpelling(
  z.object({
    workspaceId: Id.nullish().describe("The project's workspace."),
    projectId: Id.describe("The items' project."),
    put: z
      .array(describedAs(z.unknown(), PutItem))
      .max(CEILINGS.itemsPerJob)
      .default([])
      .describe("Items. A bad one is left out with a warning."),
    remove: z
      .array(
        z.object({
          id: Id.describe("The item."),
          at: At.describe("When it was deleted, ISO-8601."),
        }),
      )
      .max(CEILINGS.itemsPerJob)
      .default([])
      .describe("Items that are gone."),
    keyWarnings: KeyWarnings,
  }),
);
export type ItemsInput = z.output<typeof ItemsInput>;

export const ItemsOutput = z.object({
  items: z.int().describe("Good items of the job, whether they told something new or not."),
  warnings,
  warningsTotal,
});
export type ItemsOutput = z.output<typeof ItemsOutput>;

const Value = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.array(Id).max(CEILINGS.idsPerField),
  z.null(),
]);

const HappenedTo = z.object({
  id: Id.describe("The item."),
  type: z.string().max(100).describe("What happened, as in `evaluate`."),
  changes: z
    .array(
      z.object({
        field: z.string().max(100).describe("Which field."),
        from: Value.optional().describe("Its value before; of a set the id that went."),
        to: Value.optional().describe("Its value after; of a set the id that came."),
      }),
    )
    .max(CEILINGS.changesPerEvent)
    .default([])
    .describe("The fields that changed."),
  known: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("Fields that are told though they did not change."),
  comment: z.string().max(CEILINGS.textLength).nullish().describe("The text of a comment."),
  deleted: z.boolean().default(false).describe("The item is gone."),
});
export type HappenedTo = z.output<typeof HappenedTo>;

const changesIn = (items: readonly HappenedTo[]) =>
  items.reduce((sum, { changes }) => sum + changes.length, 0);

export const ReactInput = anySpelling(
  z.object({
    workspaceId: Id.nullish().describe(
      "The project's workspace; where it is not known, only the sets of the project count.",
    ),
    projectId: Id.describe("The items' project."),
    actorId: Id.nullish().describe("Who did it."),
    epoch: Epoch,
    depth: z.int().min(0).max(1_000).default(0).describe("How many rules led to it."),
    path: z.array(Id).max(100).default([]).describe("Those rules, the first one first."),
    items: z
      .array(HappenedTo)
      .max(CEILINGS.itemsPerEvent)
      .refine((items) => changesIn(items) <= CEILINGS.changesPerJob, {
        message: `the items hold more than ${CEILINGS.changesPerJob} changes together; send several jobs`,
      })
      .describe(
        `The items that it happened to, with at most ${CEILINGS.changesPerJob} changes together.`,
      ),
  }),
);
export type ReactInput = z.output<typeof ReactInput>;

export const ReactOutput = z.object({
  items: z.int().describe("Items that it happened to."),
  tried: z.int().describe("Rules there were to try on each."),
  fired: z.int().describe("Events `automation.fired`."),
  ended: z
    .string()
    .nullable()
    .describe("Where a chain of rules ended, its path; null where it did not."),
  left: z
    .int()
    .describe(
      `Rules that were not tried or did not fire since the event went past a ceiling: ${CEILINGS.rulesPerEvent} rules, ${CEILINGS.items} items touched.`,
    ),
});
export type ReactOutput = z.output<typeof ReactOutput>;

export const AutomationFired = z.object({
  id: z
    .string()
    .describe(
      "Of this rule on this item by this event: the same whenever the event comes again, so that who acts on it can tell.",
    ),
  workspaceId: z.string().nullable().describe("The workspace."),
  projectId: z.string().describe("The item's project."),
  itemId: z.string().describe("The item."),
  setId: z.string().describe("The rule's set."),
  setVersion: z.int().describe("The version of the set."),
  ruleId: z.string().describe("The rule that matched."),
  event: z
    .object({
      type: z.string().describe("Its type, as in triggers."),
      actorId: z.string().nullable().describe("Who did it."),
      epoch: Epoch,
    })
    .describe("What set it off."),
  actions: z.array(FiredAction).describe("What is to be done, without what would change nothing."),
  depth: z
    .int()
    .describe(
      "How many rules led to these actions, this one included: to be handed to `activities.record` as `cause` with what they change, so that loops end.",
    ),
  path: z.array(z.string()).describe("Those rules, this one last."),
});
export type AutomationFired = z.output<typeof AutomationFired>;
