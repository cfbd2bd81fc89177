/** The engine `automations`: tries the rules of a workspace on what happens to its items, and says what is to be done. */
import { action, defineWorker, inTurns } from "@tl-engine/shared";
import { evaluate } from "./evaluate.ts";
import { EVALUATE_EXAMPLES } from "./examples.ts";
import { EvaluateInput, EvaluateOutput } from "./schemas.ts";

const MIB = 1_048_576;

export default defineWorker({
  name: "automations",
  concurrency: 64,
  timeoutMs: 10_000,
  transactions: 0,
  maxHeldBytes: 4 * MIB,
  actions: {
    /** Tries rules on an event of an item; all that it needs is in the job. */
    evaluate: action({
      version: 1,
      input: EvaluateInput,
      output: EvaluateOutput,
      examples: EVALUATE_EXAMPLES,
      maxInputBytes: 2 * MIB,
      maxOutputBytes: 8 * MIB,
      handle: (input, job) => inTurns(evaluate(input), job.signal),
    }),
  },
});
