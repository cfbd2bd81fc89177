/** Input and output of `evaluate`. */
import { anySpelling, KeyWarnings } from "@tl-engine/shared";
import { z } from "zod";
import { REASONS } from "../rules/compile.ts";
import { Rules } from "./rule.ts";
import { CEILINGS, EVENT_TYPES, Id, Warning } from "./vocabulary.ts";

const Sent = z.unknown().optional();

const ChangeSent = z.object({
  field: z.string().max(100).describe("Which field; others than an item's are skipped."),
  from: Sent.describe("Its value before; of labels and the like the ids, or one that went."),
  to: Sent.describe("Its value after."),
});

/** How an event came about, which the tracker hands on with what an action changed. */
const Depth = z
  .int()
  .min(0)
  .max(1_000)
  .default(0)
  .describe(
    `How many rules led to it: 0 is a person's doing. At ${CEILINGS.depth} no rule matches any more.`,
  );
const RulePath = z.array(Id).max(100).default([]).describe("Those rules, the first one first.");

const Event = z.object({
  type: z
    .string()
    .max(100)
    .describe(`What happened: ${EVENT_TYPES.join(", ")}. No rule matches any other.`),
  actor: Id.nullish().describe("Who did it."),
  comment: z.string().max(CEILINGS.textLength).nullish().describe("The text of a comment."),
  depth: Depth,
  path: RulePath,
  changes: z
    .array(ChangeSent)
    .max(CEILINGS.changesPerEvent)
    .default([])
    .describe("The fields that changed."),
});

export const EvaluateInput = anySpelling(
  z.object({
    event: Event.describe("What happened."),
    item: z
      .record(z.string(), z.unknown())
      .describe(
        "The item after it: its fields, in the engine's or Plane's names; `custom` holds those of the tracker's own. What a rule can't name is skipped.",
      ),
    rules: Rules,
    now: z.iso
      .datetime({ offset: true })
      .describe("The instant that `{days}` counts from, ISO-8601."),
    explain: z
      .boolean()
      .default(false)
      .describe("A dry run: of each rule that did not match, the conditions that failed."),
    keyWarnings: KeyWarnings,
  }),
);
export type EvaluateInput = z.output<typeof EvaluateInput>;

const Scalar = z.union([z.string(), z.number(), z.boolean()]);
const ItemValue = z.union([Scalar, z.array(z.string()), z.null()]);

export const FiredAction = z.object({
  type: z.string().describe("What is to be done."),
  field: z.string().optional().describe("Which field."),
  value: ItemValue.optional().describe("What it is to be; null is none."),
  values: z
    .union([z.array(z.string()), z.record(z.string(), ItemValue)])
    .optional()
    .describe("Ids to add or to remove, or the fields of a new item."),
  text: z.string().optional().describe("Of a comment or notification."),
  users: z.array(z.string()).optional().describe("Whom to notify."),
  roles: z.array(z.string()).optional().describe("Whom to notify, by what they are."),
  endpoint: z.string().optional().describe("The webhook."),
  items: z
    .array(z.string())
    .optional()
    .describe("The items that it touches; absent is the event's own."),
});

const Failed = z.object({
  path: z.string().describe("Where the condition stands in its rule."),
  field: z.string().describe("What it looks at."),
  op: z.string().describe("How it compares."),
  isNegated: z.boolean().describe("It held, within a `not`."),
  expected: z.string().describe("What it compares with, as text."),
  actual: z.string().describe("What it found, as text."),
});

export const EvaluateOutput = z.object({
  matched: z
    .array(
      z.object({
        ruleId: z.string().describe("The rule."),
        actions: z
          .array(FiredAction)
          .describe("What is to be done, without what would change nothing."),
        depth: z.int().describe("To be handed on with what the actions change."),
        path: z.array(z.string()).describe("The rules that led to it, this one last."),
      }),
    )
    .describe("The rules that match, in their order."),
  skipped: z
    .array(
      z.object({
        ruleId: z.string().describe("The rule."),
        reason: z.enum(REASONS).describe("The first thing that kept it from matching."),
        message: z.string().optional().describe("The same in words; in a dry run."),
        failed: z
          .array(Failed)
          .optional()
          .describe(`The first ${CEILINGS.explained} conditions that failed; in a dry run.`),
      }),
    )
    .describe("The others."),
  warnings: z
    .array(Warning)
    .describe("Rules and fields that were left out; the first 100 of them."),
  warningsTotal: z.int().describe("How many warnings there were."),
});
export type EvaluateOutput = z.output<typeof EvaluateOutput>;
