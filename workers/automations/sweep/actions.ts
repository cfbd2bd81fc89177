/** The action of old items, for the engine's definition. */
import { action, type Example, inTurns } from "@tl-engine/shared";
import { SweepInput, SweepOutput } from "./schemas.ts";
import { sweep } from "./sweep.ts";

const MIB = 1_048_576;
const SWEEP_EXAMPLES: readonly Example[] = [
  {
    title: "In snake_case: one item to archive, one to close, and one whose cycle goes on.",
    input: (n) => ({
      projects: [{ id: "web", archive_in: 1, close_in: 3, close_state_id: "cancelled" }],
      items: [
        item(`done-${n}`, "completed"),
        item(`open-${n}`, "unstarted"),
        { ...item(`current-${n}`, "started"), cycles: [{ end_date: "2026-07-31" }] },
      ],
      now: "2026-07-01T01:00:00Z",
    }),
  },
];

function item(id: string, stateGroup: string) {
  return { id, project_id: "web", state_group: stateGroup, updated_at: "2026-01-05T10:00:00Z" };
}

export const sweepActions = {
  /** Says which items of which projects are to be archived or closed for their age; from what the job brings alone. */
  sweep: action({
    version: 1,
    input: SweepInput,
    output: SweepOutput,
    examples: SWEEP_EXAMPLES,
    maxInputBytes: 8 * MIB,
    maxOutputBytes: 4 * MIB,
    handle: (input, job) => inTurns(sweep(input), job.signal),
  }),
};
