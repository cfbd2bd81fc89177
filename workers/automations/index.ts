/** The engine `automations`: tries the rules of a workspace on what happens to its items, and says what is to be done. */
import { action, defineWorker, inTurns } from "@tl-engine/shared";
import { reactInputOf } from "./activity-event.ts";
import { evaluate } from "./evaluate.ts";
import { EVALUATE_EXAMPLES, ITEMS_EXAMPLES, REACT_EXAMPLES, RULES_EXAMPLES } from "./examples.ts";
import { purge } from "./item-store.ts";
import { putItems } from "./put-items.ts";
import { react } from "./react.ts";
import { putRuleSets } from "./rule-sets.ts";
import {
  AutomationFired,
  EvaluateInput,
  EvaluateOutput,
  ItemsInput,
  ItemsOutput,
  ReactInput,
  ReactOutput,
  RulesInput,
  RulesOutput,
} from "./schemas.ts";
import { SLA_EVENTS, slaActions } from "./sla/actions.ts";
import { deadlineReactInputOf } from "./sla/deadline-event.ts";
import { purgeSla } from "./sla/purge.ts";
import { trackEvents } from "./sla/track.ts";
import { sweepActions } from "./sweep/actions.ts";

const MIB = 1_048_576;

export default defineWorker({
  name: "automations",
  concurrency: 64,
  timeoutMs: 10_000,
  transactions: 0,
  // Most of its batches are events; rules and policies are put seldom.
  batches: 1,
  maxHeldBytes: 4 * MIB,
  async purge(tx) {
    const more = [await purge(tx), await purgeSla(tx)];
    return more.find((isMore) => isMore);
  },
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

    /** Puts and removes sets of rules, which from then on count for all that happens. */
    rules: action({
      version: 1,
      input: RulesInput,
      output: RulesOutput,
      examples: RULES_EXAMPLES,
      maxInputBytes: 2 * MIB,
      handleBatch: (jobs, batch) =>
        putRuleSets(
          jobs.map(({ input }) => input),
          batch,
        ),
    }),

    /** Tells fields of items that no event has told yet. It sets off no rule. */
    items: action({
      version: 1,
      input: ItemsInput,
      output: ItemsOutput,
      examples: ITEMS_EXAMPLES,
      maxInputBytes: 4 * MIB,
      handleBatch: (jobs, batch) =>
        putItems(
          jobs.map(({ input }) => input),
          batch,
        ),
    }),

    /** Tries the rules that were put on what happened to items; also what each `activity.recorded` runs. */
    react: action({
      version: 1,
      input: ReactInput,
      output: ReactOutput,
      examples: REACT_EXAMPLES,
      emits: { "automation.fired": AutomationFired, ...SLA_EVENTS },
      maxInputBytes: 8 * MIB,
      async handleBatch(jobs, batch) {
        const reactions = await react(jobs, batch);
        await trackEvents(jobs, batch);
        return reactions;
      },
    }),

    ...slaActions,
    ...sweepActions,
  },
  on: {
    "activity.recorded": { action: "react", map: reactInputOf },
    // Rules are told of deadlines, too.
    "sla.breached": {
      action: "react",
      map: (event) => deadlineReactInputOf("sla.breached", event),
    },
    "sla.due": { action: "react", map: (event) => deadlineReactInputOf("sla.due", event) },
  },
});
