/** What a change set comes to without the fleet: the engine's handler, called here, is what the results are held to. */
import type { Job } from "@tl-engine/shared";
import type { ActivitiesRecordOutput } from "../../../shared/client/contract.ts";
import activities from "../../../workers/activities/index.ts";
import type { ChangeInput } from "./plan-issue.ts";

const { record } = activities.actions;

/** @param id of the job, from which those of the entries are derived. */
export function recordHere(input: ChangeInput, id: string): ActivitiesRecordOutput {
  const job = { id, emit: () => {} } as Pick<Job, "id" | "emit"> as Job;
  return record.handle?.(record.input.parse(input), job) as ActivitiesRecordOutput;
}
