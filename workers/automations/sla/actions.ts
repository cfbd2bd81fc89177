/** The actions of deadlines, for the engine's definition. */
import { action, inTurns } from "@tl-engine/shared";
import { answerSla, isoOf } from "./answer.ts";
import {
  CHECK_EXAMPLES,
  POLICIES_EXAMPLES,
  RECHECK_EXAMPLES,
  SLA_EXAMPLES,
  TRACK_EXAMPLES,
} from "./examples.ts";
import { lookAfter, recheck } from "./recheck.ts";
import {
  CheckInput,
  CheckOutput,
  PoliciesInput,
  PoliciesOutput,
  RecheckInput,
  RecheckOutput,
  SlaBreached,
  SlaDueSoon,
  SlaInput,
  SlaOutput,
  TrackInput,
  TrackOutput,
} from "./schemas.ts";
import { settleItems } from "./settle-items.ts";
import { keepPolicies } from "./store.ts";
import { track } from "./track.ts";

const MIB = 1_048_576;
export const SLA_EVENTS = { "sla.breached": SlaBreached, "sla.due": SlaDueSoon };

export const slaActions = {
  /** How items stand under a policy; all that it needs is in the job. */
  sla: action({
    version: 1,
    input: SlaInput,
    output: SlaOutput,
    examples: SLA_EXAMPLES,
    maxInputBytes: 4 * MIB,
    handle: (input, job) => inTurns(answerSla(input), job.signal),
  }),

  /** Puts and removes what is promised of a project's items. From then on their clocks are kept. */
  policies: action({
    version: 1,
    input: PoliciesInput,
    output: PoliciesOutput,
    examples: POLICIES_EXAMPLES,
    handleBatch: async (jobs, batch) => {
      const kept = await keepPolicies(
        batch.tx,
        jobs.map(({ input }) => input),
      );
      for (const job of jobs) lookAfter(job, job.input);
      return kept.map((count, index) => ({
        kept: count,
        warnings: jobs[index]?.input.keyWarnings ?? [],
      }));
    },
  }),

  /** Tells of items that were there before their project's policies, or of which no event told. */
  track: action({
    version: 1,
    input: TrackInput,
    output: TrackOutput,
    emits: SLA_EVENTS,
    examples: TRACK_EXAMPLES,
    maxInputBytes: 4 * MIB,
    handleBatch: (jobs, batch) => track(jobs, batch),
  }),

  /** Looks at a project's items after its policies changed: what `policies` sets off. By hand it does no harm. */
  recheck: action({
    version: 1,
    input: RecheckInput,
    output: RecheckOutput,
    emits: SLA_EVENTS,
    examples: RECHECK_EXAMPLES,
    handleBatch: (jobs, batch) => recheck(jobs, batch),
  }),

  /** Looks at an item's deadlines: what its timer runs. To publish one by hand does no harm. */
  check: action({
    version: 1,
    input: CheckInput,
    output: CheckOutput,
    emits: SLA_EVENTS,
    examples: CHECK_EXAMPLES,
    async handleBatch(jobs, batch) {
      // This machine's clock may be behind the one that the timers went by.
      const timers = jobs.map(({ input: { at } }) => (at === undefined ? 0 : Date.parse(at)));
      const now = Date.now();
      const looks = jobs.map((job, index) => {
        const { projectId, itemId } = job.input;
        const nowMs = Math.max(now, Math.min(timers[index] as number, now + MAX_SKEW_MS));
        return { job, projectId, itemId, nowMs };
      });
      const settled = await settleItems(batch.tx, looks);
      return settled.map(({ told, nextCheckMs }) => ({ told, nextCheckAt: isoOf(nextCheckMs) }));
    },
  }),
};

/** A timer by hand that lies further ahead is not believed. */
const MAX_SKEW_MS = 120_000;
