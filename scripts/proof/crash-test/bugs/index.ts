/**
 * Planted bugs: each wraps one part of the runtime in a mistake that people make. The checker must catch every
 * one of them, or it can't be trusted when it finds nothing.
 */
import type { Parts } from "../../../../shared/worker.ts";
import type { Bug } from "./bug.ts";
import { CANCEL_BUGS, CLAIM_BUGS, CRASH_BUGS } from "./claims.ts";
import { BURIAL_BUGS, COMMIT_BUGS } from "./commits.ts";
import { byLane, laneOf } from "./lanes.ts";
import { EVENT_BUGS, LETTER_BUGS, REPLY_BUGS, RETRY_BUGS } from "./messages.ts";
import { SHARE_BUGS, WHOLE_SHARE_BUGS } from "./shares.ts";
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
  ...SHARE_BUGS,
};
const LONE: Record<string, Bug> = { ...WHOLE_BUGS, ...WHOLE_SHARE_BUGS };

/** Bugs that do their harm to one lane of jobs, so that several can be in one worker. */
export const LANED_BUGS = Object.keys(LANED);
/** Bugs that need a worker for themselves. */
export const LONE_BUGS = Object.keys(LONE);

/** One bug is in all jobs that it can be in; of several, the first is in lane 1, and so on. */
export function plantBugs(names: readonly string[], parts: Parts): Parts {
  const [only] = names;
  if (only === undefined) return parts;
  const lone = LONE[only];
  if (names.length === 1 && lone) return lone(parts, () => true);
  const lanes = names.map((name, index) => {
    const bug = LANED[name];
    if (bug === undefined) throw new RangeError(`no such bug: ${name}`);
    return bug(parts, (jobId) => laneOf(String(jobId)) === index + 1);
  });
  return byLane([parts, ...lanes]);
}
