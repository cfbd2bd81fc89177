/** Tries rules on an event of an item: which match, with what they want done, and why the others do not. */
import { CEILINGS } from "../schemas/vocabulary.ts";
import type { Action } from "./action.ts";
import {
  type CompiledRule,
  candidates,
  type Facts,
  type Reason,
  type RuleBook,
} from "./compile.ts";
import { compileExplanation, type FailedCondition } from "./explain.ts";
import { changesNothing } from "./unchanged.ts";

export interface Match {
  entry: CompiledRule;
  /** Without those that would change nothing. */
  actions: readonly Action[];
}

export interface Skip {
  entry: CompiledRule;
  reason: Reason;
}

/** Of a rule, in this evaluation: a match, or why there is none. */
type Verdict = Match | Skip;
export const isMatch = (verdict: Verdict): verdict is Match => "actions" in verdict;

/** What one evaluation may still do, all of its items together. */
export class Room {
  items: number = CEILINGS.items;
  /** Characters of actions. */
  length: number = CEILINGS.firedLength;
  /** Rules that matched and found none. */
  left = 0;

  take(items: number, length: number): boolean {
    if (items > this.items || length > this.length) {
      this.left++;
      return false;
    }
    this.items -= items;
    this.length -= length;
    return true;
  }
}

/** The matches alone: rules that the event does not set off are never looked at. */
export function matchesOf(book: RuleBook, facts: Facts, room = new Room()): Match[] {
  if (facts.event.depth >= CEILINGS.depth) return [];
  const matches: Match[] = [];
  for (const entry of candidates(book, facts.event)) {
    const verdict = tryRule(entry, facts, room);
    if (typeof verdict === "object") matches.push(verdict);
  }
  return matches;
}

/** A verdict on each rule, in their order. */
export function verdictsOf(book: RuleBook, facts: Facts): Verdict[] {
  const isTooDeep = facts.event.depth >= CEILINGS.depth;
  const room = new Room();
  const tried = candidates(book, facts.event);
  let next = 0;
  return book.rules.map((entry): Verdict => {
    const isCandidate = tried[next] === entry;
    if (isCandidate) next += 1;
    if (isTooDeep && entry.rule.isEnabled) return { entry, reason: "depth" };
    if (!isCandidate) return { entry, reason: outsideReason(entry, facts) };
    const verdict = tryRule(entry, facts, room);
    return typeof verdict === "object" ? verdict : { entry, reason: verdict };
  });
}

function outsideReason({ rule }: CompiledRule, { event }: Facts): Reason {
  if (!rule.isEnabled) return "disabled";
  return (rule.trigger.on as string[]).includes(event.type) ? "field" : "trigger";
}

function tryRule(entry: CompiledRule, facts: Facts, room: Room): Match | Reason {
  if (!entry.isTriggered(facts)) return "field";
  if (!entry.isInScope(facts)) return "scope";
  if (!entry.holds(facts)) return "conditions";
  const { actions: all } = entry.rule;
  const hasIdle = all.some((action) => changesNothing(action, facts.item));
  const actions = hasIdle ? all.filter((action) => !changesNothing(action, facts.item)) : all;
  if (actions.length === 0) return "changes_nothing";
  const items = actions.reduce((sum, action) => sum + (action.items?.length ?? 1), 0);
  if (!room.take(items, entry.actionsLength)) return "limit";
  return { entry, actions };
}

const explanations = new WeakMap<CompiledRule, (facts: Facts) => FailedCondition[]>();

/** The conditions because of which a rule was skipped as `conditions`. */
export function explain(entry: CompiledRule, facts: Facts): FailedCondition[] {
  const { condition } = entry.rule;
  if (condition === undefined) return [];
  let explanation = explanations.get(entry);
  if (explanation === undefined) {
    explanation = compileExplanation(condition);
    explanations.set(entry, explanation);
  }
  return explanation(facts);
}
