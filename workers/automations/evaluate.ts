/** The action `evaluate`: everything it needs is in the job. */
import type { Steps } from "@tl-engine/shared";
import { type CompiledRule, compileRules, type Facts, type Reason } from "./rules/compile.ts";
import { explain, isMatch, verdictsOf } from "./rules/evaluate.ts";
import { changesByField, type Event } from "./rules/event.ts";
import { readItem } from "./rules/item.ts";
import { didYouMean } from "./rules/problem.ts";
import { readRules } from "./rules/read-rules.ts";
import type { EvaluateInput, EvaluateOutput } from "./schemas/evaluate.ts";
import { CEILINGS, EVENT_TYPES } from "./schemas/vocabulary.ts";
import { Warnings } from "./warnings.ts";

/** A pure function: the same input gives the same output. */
export function* evaluate(input: EvaluateInput): Steps<EvaluateOutput> {
  const warnings = new Warnings(input.keyWarnings);
  const rules = yield* readRules(input.rules, ["rules"], warnings);
  const { type } = input.event;
  if (!(EVENT_TYPES as readonly string[]).includes(type))
    warnings.add(
      "unknown_event",
      ["event", "type"],
      `no rule matches it${didYouMean(type, EVENT_TYPES)}`,
    );
  const item = readItem(input.item, ["item"], warnings);
  const facts: Facts = { item, event: eventOf(input), nowMs: Date.parse(input.now) };
  yield;
  const matched: EvaluateOutput["matched"] = [];
  const skipped: EvaluateOutput["skipped"] = [];
  const book = compileRules(rules.map(({ rule }) => rule));
  yield;
  for (const verdict of verdictsOf(book, facts)) {
    const { rule } = verdict.entry;
    if (isMatch(verdict))
      matched.push({ ruleId: rule.id, ...firing(rule.id, verdict.actions, facts.event) });
    else if (input.explain) {
      yield;
      skipped.push({ ruleId: rule.id, ...inWords(verdict.entry, verdict.reason, facts) });
    } else skipped.push({ ruleId: rule.id, reason: verdict.reason });
  }
  return { matched, skipped, warnings: warnings.listed, warningsTotal: warnings.total };
}

/** What a rule that matched wants done, and what is to be handed on with it. */
function firing<Action>(ruleId: string, actions: readonly Action[], { depth, path }: Event) {
  return {
    actions: [...actions],
    depth: depth + 1,
    path: [...path, ruleId].slice(-CEILINGS.depth),
  };
}

function eventOf({ event }: EvaluateInput): Event {
  const { type, actor, comment, depth, path, changes } = event;
  return {
    type,
    actor: actor ?? null,
    comment: comment ?? null,
    depth,
    path,
    changes: changesByField(changes),
  };
}

function inWords(entry: CompiledRule, reason: Reason, facts: Facts) {
  const message = MESSAGES[reason](entry, facts);
  return reason === "conditions"
    ? { reason, message, failed: explain(entry, facts) }
    : { reason, message };
}

const MESSAGES: Record<Reason, (entry: CompiledRule, facts: Facts) => string> = {
  disabled: () => "it is switched off",
  depth: (_, { event }) => depthMessage(event),
  trigger: ({ rule }, { event }) =>
    `it waits for ${rule.trigger.on.join(" or ")}, and this is ${event.type}`,
  field: ({ rule: { trigger } }, { event }) => {
    const values = [
      trigger.from && ` from ${trigger.from.map(String).join(" or ")}`,
      trigger.to && ` to ${trigger.to.map(String).join(" or ")}`,
    ];
    const changed = [...event.changes.keys()].join(", ") || "nothing";
    return `it waits for a change of ${trigger.fields.join(" or ")}${values.filter(Boolean).join("")}; changed: ${changed}`.slice(
      0,
      500,
    );
  },
  scope: (_, { item }) =>
    `it is not for the project ${String(item.get("project") ?? "(not known)")}`,
  conditions: () => "its conditions do not hold",
  changes_nothing: () => "it would change nothing",
  limit: () =>
    `with the rules before it it would touch more than ${CEILINGS.items} items in one evaluation`,
};

/** Names the rules, so that their author finds the loop. */
export const depthMessage = ({ depth, path }: Event) =>
  `${depth} rules led to this event, which ends the chain: ${path.slice(-CEILINGS.depth).join(" → ") || "path not known"}`;
