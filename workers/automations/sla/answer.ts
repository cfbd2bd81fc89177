/** The action `sla`: how items stand under a policy, from what the job brings alone. */
import type { z } from "zod";
import { compilePolicy, type Standing, standingOf } from "./clock.ts";
import { readItems } from "./read-items.ts";
import { SLA_CEILINGS, type SlaInput, type SlaOfItem, type SlaOutput } from "./schemas.ts";

const TURN = 100;

/** Yields now and then, so that others have their turn. */
export function* answerSla(
  { policy, items, now, keyWarnings }: SlaInput,
  clockMs = Date.now(),
): Generator<void, z.input<typeof SlaOutput>> {
  const compiled = compilePolicy(policy);
  const nowMs = now === undefined ? clockMs : Date.parse(now);
  const { good, warnings } = readItems(items, keyWarnings);
  const answers: z.input<typeof SlaOfItem>[] = [];
  for (const { id, history } of good) {
    answers.push(toldOf(id, standingOf(compiled, history, nowMs)));
    if (answers.length % TURN === 0) yield;
  }
  return {
    items: answers,
    warnings: warnings.slice(0, SLA_CEILINGS.warningsListed),
    warningsTotal: warnings.length,
  };
}

export const isoOf = (ms: number | undefined) =>
  ms === undefined ? null : new Date(ms).toISOString();
const seconds = (ms: number | undefined) => (ms === undefined ? null : ms / 1_000);

function toldOf(id: string, standing: Standing): z.input<typeof SlaOfItem> {
  const { clock, targetMs, usedMs, dueMs, remainingMs, breachedMs, nextCheckMs } = standing;
  return {
    id,
    clock,
    targetSeconds: seconds(targetMs),
    usedSeconds: usedMs / 1_000,
    dueAt: isoOf(dueMs),
    remainingSeconds: seconds(remainingMs),
    breached: breachedMs !== undefined,
    breachedAt: isoOf(breachedMs),
    nextCheckAt: isoOf(nextCheckMs),
  };
}
