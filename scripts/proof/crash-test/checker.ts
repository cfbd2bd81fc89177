/**
 * The judge of a run: all rules over the history and the end state. It shares no code with the runtime, so
 * that a mistake of the runtime's can't hide itself here.
 */
import { type EndState, indexEvidence } from "./evidence.ts";
import type { Finding } from "./finding.ts";
import type { Stamped } from "./history.ts";
import {
  attemptsAreEarned,
  effectsHappenOnce,
  everyConfirmedJobEnded,
  everyIdIsKnown,
} from "./rules/endings.ts";
import { eventsAreTheRows, rowsHoldTheEvents } from "./rules/events.ts";
import { failuresHaveLetters, lettersAreTheJob } from "./rules/letters.ts";
import { faultsMetLoad, theLoadCameThrough } from "./rules/load.ts";
import { everyCopyIsAnswered, outputsAreRight, repliesAreTheRow } from "./rules/replies.ts";
import {
  claimsHold,
  everythingIsAtRest,
  nothingDeadlocks,
  outsideSawOneKey,
  workersLive,
} from "./rules/rest.ts";
import {
  cancelsAreHonoured,
  deadlinesAreKept,
  deadWorkersAreReplaced,
  oneRunAtOnce,
  unrunJobsDidNotRun,
} from "./rules/runs.ts";
import { memoryIsBounded, nobodyIsStarved } from "./rules/shares.ts";

const RULES = [
  everyConfirmedJobEnded,
  effectsHappenOnce,
  outputsAreRight,
  everyCopyIsAnswered,
  repliesAreTheRow,
  eventsAreTheRows,
  rowsHoldTheEvents,
  everyIdIsKnown,
  everythingIsAtRest,
  attemptsAreEarned,
  outsideSawOneKey,
  claimsHold,
  nothingDeadlocks,
  failuresHaveLetters,
  lettersAreTheJob,
  oneRunAtOnce,
  deadlinesAreKept,
  cancelsAreHonoured,
  deadWorkersAreReplaced,
  unrunJobsDidNotRun,
  nobodyIsStarved,
  memoryIsBounded,
  theLoadCameThrough,
  faultsMetLoad,
  workersLive,
];

/** Runs all rules. */
export function check(history: readonly Stamped[], end: EndState): Finding[] {
  const evidence = indexEvidence(history, end);
  return RULES.flatMap((rule) => rule(evidence));
}
