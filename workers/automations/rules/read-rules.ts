/** Reads a list of rules: a bad one is left out with a warning, and its neighbours live. */
import type { Steps } from "@tl-engine/shared";
import type { Warnings } from "../warnings.ts";
import type { Path } from "./problem.ts";
import { type Rule, readRule } from "./rule.ts";

export interface GoodRule {
  rule: Rule;
  /** As its author wrote it. */
  sent: unknown;
}

/** The good ones, in their order. Of two with one id the first counts. */
export function* readRules(
  sent: readonly unknown[],
  path: Path,
  warnings: Warnings,
): Steps<GoodRule[]> {
  const rules: GoodRule[] = [];
  const ids = new Set<string>();
  for (const [index, element] of sent.entries()) {
    yield;
    const at = [...path, index];
    const { rule, problems } = readRule(element, at);
    for (const problem of problems?.listed ?? [])
      warnings.add("bad_rule", problem.path, problem.message);
    if (rule === undefined) continue;
    if (ids.has(rule.id)) {
      const message = `a rule before it has the id ${rule.id}, and counts in its place`;
      warnings.add("repeated_rule", at, message);
      continue;
    }
    ids.add(rule.id);
    rules.push({ rule, sent: element });
  }
  return rules;
}
