/** The JSON Schema of rules, for callers and editors; what reads them is rules/rule.ts, which says what is wrong with one. */
import { readByHandler } from "@tl-engine/shared";
import { z } from "zod";
import { ACTION_TYPES, ROLES } from "../rules/action.ts";
import { OPERATOR_NAMES } from "../rules/operators.ts";
import { CEILINGS, EVENT_TYPES, Id } from "./vocabulary.ts";

const Scalar = z.union([z.string(), z.number(), z.boolean()]);
const FieldName = z
  .string()
  .max(100)
  .describe(
    "A field of the item (`state`, `stateGroup`, `priority`, `labels`, `dueDate`, …, or `custom.<name>`), or of the event: `actor`, `comment`.",
  );

/** What `op` compares with. */
const Operand = z.union([
  Scalar,
  z.array(Scalar).max(CEILINGS.valuesPerCondition),
  z.strictObject({ days: z.number().describe("From now on; negative before now.") }),
]);

const Comparison = z
  .strictObject({
    field: FieldName,
    op: z.enum(OPERATOR_NAMES).describe("How it is compared."),
    value: Operand.optional().describe(
      "What with: a value, a list for `in`, `contains_any` and the like, a day, an instant or `{days}` for `before` and `after`, nothing for `empty` and `changed`.",
    ),
  })
  .meta({ title: "RuleComparison", description: "One comparison." });

type Group = z.ZodType;
/** Groups within groups are described as far as people nest them; the engine takes {@link CEILINGS.nesting}. */
function groupOf(inner: z.ZodType): Group[] {
  return [
    z.strictObject({ all: z.array(inner).min(1).describe("All of them hold.") }),
    z.strictObject({ any: z.array(inner).min(1).describe("One of them holds, or more.") }),
    z.strictObject({ not: inner.describe("It does not hold.") }),
  ];
}
const Deeper = z
  .record(z.string(), z.unknown())
  .describe(`Nested in the same way, up to ${CEILINGS.nesting} groups deep.`);
const Inner = z.union([Comparison, Deeper]);
const Condition = z.union([Comparison, ...groupOf(Inner)]);

const Values = z
  .union([Scalar, z.array(Scalar).max(CEILINGS.valuesPerCondition), z.null()])
  .optional();

const Trigger = z
  .strictObject({
    on: z
      .union([z.enum(EVENT_TYPES), z.array(z.enum(EVENT_TYPES)).min(1)])
      .describe("The events that set it off."),
    fields: z
      .array(FieldName)
      .max(50)
      .optional()
      .describe("One of these must have changed; empty or absent is no condition."),
    from: Values.describe("With one field: its value before, or one of a list; null is none."),
    to: Values.describe("With one field: its value after."),
  })
  .describe("What sets the rule off.");

const ItemValue = z.union([z.string(), z.number(), z.boolean(), z.array(Id), z.null()]);

const Action = z
  .strictObject({
    type: z.enum(ACTION_TYPES).describe("What is to be done."),
    field: FieldName.optional().describe("Of `set`, `add` and `remove`: which field."),
    value: ItemValue.optional().describe("Of `set`: what to; null empties the field."),
    values: z
      .union([z.array(Id).max(CEILINGS.idsPerField), z.record(z.string(), ItemValue)])
      .optional()
      .describe("Of `add` and `remove`: ids. Of `create`: the new item's fields, with its name."),
    text: z.string().max(5_000).optional().describe("Of `comment` and `notify`."),
    users: z.array(Id).max(500).optional().describe("Of `notify`: who."),
    roles: z.array(z.enum(ROLES)).optional().describe("Of `notify`: who, by what they are."),
    endpoint: Id.optional().describe("Of `webhook`: which."),
    items: z
      .array(Id)
      .max(CEILINGS.items)
      .optional()
      .describe("The items that it touches; absent is the event's own."),
  })
  .meta({ title: "RuleAction", description: "One thing to be done." });

const RuleShape = z
  .strictObject({
    id: Id.describe("Its id; of two rules with one id in a list the first counts."),
    name: z.string().max(255).optional().describe("What people call it."),
    enabled: z.boolean().optional().describe("False switches it off."),
    scope: z
      .strictObject({
        projects: z.array(Id).max(500).optional().describe("Empty or absent is every project."),
      })
      .optional()
      .describe("Where it counts."),
    trigger: Trigger,
    conditions: Condition.optional().describe("What must hold of the item; absent always holds."),
    actions: z
      .array(Action)
      .min(1)
      .max(CEILINGS.steps)
      .describe("What is to be done, in this order."),
  })
  .meta({
    title: "AutomationRule",
    description: `A rule, with at most ${CEILINGS.steps} actions and ${CEILINGS.conditions} conditions.`,
  });

/** A bad rule is left out with a warning that says where and why: its neighbours live. */
export const Rules = z
  .array(readByHandler(RuleShape))
  .max(CEILINGS.rules)
  .describe("The rules, tried in this order.");

/** For editors: the schema of a file of rules, which `make rules-check` reads. */
export const ruleFileSchema = () => ({
  ...z.toJSONSchema(
    z.strictObject({
      $schema: z.string().optional().describe("This schema, for editors."),
      rules: z.array(RuleShape).max(CEILINGS.rules).describe("The rules, tried in this order."),
    }),
  ),
  title: "Rules of automations",
});
