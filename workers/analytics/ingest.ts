/** Takes in what a batch of `ingest` says: facts job by job, stored once there are enough of them for statements of their own. */
import type { Batch } from "@tl-engine/shared";
import { atOnce, inTurns, type Run, STEP_SIZE } from "@tl-engine/shared";
import { factsIn } from "./facts.ts";
import { elementsIn, type IngestInput, type IngestOutput } from "./schemas.ts";
import { type Addition, addChanges } from "./store.ts";

/** A job of few bytes can hold many, so that the bytes of a batch alone would not bound its memory. */
const FACTS_IN_HAND = 50_000;

export async function ingest(
  inputs: readonly IngestInput[],
  { tx, signal }: Pick<Batch, "tx" | "signal">,
): Promise<IngestOutput[]> {
  // Little, as events are, waits for no turn.
  const isLittle = inputs.reduce((sum, { items }) => sum + elementsIn(items), 0) <= STEP_SIZE;
  const run: Run = isLittle ? atOnce : (steps) => inTurns(steps, signal);
  const outputs: IngestOutput[] = [];
  let additions: Addition[] = [];
  let inHand = 0;
  for (const input of inputs) {
    const { changes, output } = await run(factsIn(input));
    outputs.push(output);
    additions.push({ workspaceId: input.workspaceId ?? null, changes });
    inHand += changes.length;
    if (inHand < FACTS_IN_HAND) continue;
    await addChanges(tx, additions, run);
    additions = [];
    inHand = 0;
  }
  await addChanges(tx, additions, run);
  return outputs;
}
