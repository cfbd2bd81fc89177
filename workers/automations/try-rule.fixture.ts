/** Tries rules on an event as `evaluate` does, for the tests. */
import { atOnce } from "@tl-engine/shared";
import type { z } from "zod";
import { evaluate } from "./evaluate.ts";
import { EvaluateInput } from "./schemas.ts";

export const NOW = "2026-03-31T12:00:00.000Z";

type Sent = z.input<typeof EvaluateInput>;

/** What a test leaves out is the plainest there is. */
export function tryRules(rules: readonly unknown[], more: Partial<Sent> = {}) {
  const sent = { event: { type: "item.updated" }, item: {}, now: NOW, rules, ...more };
  return atOnce(evaluate(EvaluateInput.parse(sent)));
}

/** A rule of these conditions, which any update sets off. */
export const ruleOf = (conditions?: unknown, more: object = {}) => ({
  id: "r",
  trigger: { on: "item.updated" },
  ...(conditions !== undefined && { conditions }),
  actions: [{ type: "comment", text: "It matched." }],
  ...more,
});

/** Whether the condition holds of the item; a bad one throws. */
export function holds(condition: unknown, item: object, event: object = {}): boolean {
  const sent = { item: item as never, event: { type: "item.updated", ...event } };
  const { matched, skipped, warnings } = tryRules([ruleOf(condition)], sent);
  if (matched.length + skipped.length !== 1) throw new Error(JSON.stringify(warnings));
  return matched.length === 1;
}
