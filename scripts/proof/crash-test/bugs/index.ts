/**
 * Planted bugs: each wraps one part of the runtime in a mistake that people make. The checker must catch every
 * one of them, or it can't be trusted when it finds nothing.
 */
import type { Parts } from "../../../../shared/worker.ts";
import type { Bug } from "./bug.ts";
import { CANCEL_BUGS, CLAIM_BUGS, CRASH_BUGS } from "./claims.ts";
import { BURIAL_BUGS, COMMIT_BUGS } from "./commits.ts";
import { byLane } from "./lanes.ts";
import { EVENT_BUGS, LETTER_BUGS, REPLY_BUGS, RETRY_BUGS } from "./messages.ts";
import { WHOLE_BUGS } from "./whole.ts";

const LANED: Record<string, Bug> = {
  ...REPLY_BUGS,
  ...EVENT_BUGS,
  ...LETTER_BUGS,
  ...RETRY_BUGS,
  ...CLAIM_BUGS,
  ...CRASH_BUGS,
  ...CANCEL_BUGS,
  ...COMMIT_BUGS,
  ...BURIAL_BUGS,
};

/** Bugs that do their harm to one lane of jobs, so that several can be in one worker. */
export const LANED_BUGS = Object.keys(LANED);
/** Bugs that need a worker for themselves. */
export const LONE_BUGS = Object.keys(WHOLE_BUGS);

/** One bug is in all jobs that it can be in; of several, the first is in lane 1, and so on. */
export function plantBugs(names: readonly string[], parts: Parts): Parts {
  const [only] = names;
  if (only === undefined) return parts;
  const lone = WHOLE_BUGS[only];
  if (names.length === 1 && lone) return lone(parts);
  const lanes = names.map((name, index) => {
    const bug = LANED[name];
    if (bug === undefined) throw new RangeError(`no such bug: ${name}`);
    // The one bug that is not in a part has to be told which jobs are its own.
    if (name === "cancel-ignored") process.env.CRASH_TEST_LANE_OF_CANCEL = String(index + 1);
    return bug(parts);
  });
  return byLane([parts, ...lanes]);
}
