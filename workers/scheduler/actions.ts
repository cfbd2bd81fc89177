/** The actions by which callers see to their schedules, and to their jobs that wait. */
import { action } from "@tl-engine/shared";
import { backfill, cancel, change, pause, put, remove, run, type Scheduler } from "./control.ts";
import { EXAMPLES } from "./examples.ts";
import { list } from "./list.ts";
import * as schemas from "./schemas.ts";
import { ScheduleInput, specOf } from "./spec.ts";

const MIB = 1_048_576;

export function controlActions(scheduler: Scheduler) {
  return {
    /** Puts a schedule, or changes one. */
    put: action({
      version: 1,
      input: ScheduleInput,
      output: schemas.PutOutput,
      examples: EXAMPLES.put,
      handle: async (input, job) => ({
        ...(await put(specOf(input), job, scheduler)),
        warnings: input.keyWarnings ?? [],
      }),
    }),
    /** Has a schedule stand still: slots of that time are not missed. */
    pause: action({
      version: 1,
      input: schemas.NameInput,
      output: schemas.DoneOutput,
      examples: EXAMPLES.pause,
      handle: ({ name }, job) => pause(name, true, job, scheduler),
    }),
    /** Has it go on. */
    resume: action({
      version: 1,
      input: schemas.NameInput,
      output: schemas.DoneOutput,
      examples: EXAMPLES.resume,
      handle: ({ name }, job) => pause(name, false, job, scheduler),
    }),
    /** Runs a schedule's job now, beside its slots. */
    run: action({
      version: 1,
      input: schemas.NameInput,
      output: schemas.RunOutput,
      examples: EXAMPLES.run,
      handle: ({ name }, job) => run(name, job, scheduler),
    }),
    /** Runs those slots of the past that did not run. */
    backfill: action({
      version: 1,
      input: schemas.BackfillInput,
      output: schemas.BackfillOutput,
      examples: EXAMPLES.backfill,
      handle: (input, job) => backfill(input, job, scheduler),
    }),
    /** Removes a schedule, and its jobs that wait. */
    remove: action({
      version: 1,
      input: schemas.NameInput,
      output: schemas.DoneOutput,
      examples: EXAMPLES.remove,
      handle: ({ name }, job) => remove(name, job),
    }),
    /** Takes back a job that waits. */
    cancel: action({
      version: 1,
      input: schemas.JobInput,
      output: schemas.DoneOutput,
      examples: EXAMPLES.cancel,
      handle: (input, job) => cancel(input, job, scheduler),
    }),
    /** Gives a job that waits another time. */
    change: action({
      version: 1,
      input: schemas.ChangeInput,
      output: schemas.DoneOutput,
      examples: EXAMPLES.change,
      handle: (input, job) => change(input, job, scheduler),
    }),
    /** Tells what of the publisher's own is kept. */
    list: action({
      version: 1,
      input: schemas.ListInput,
      output: schemas.ListOutput,
      examples: EXAMPLES.list,
      maxOutputBytes: 4 * MIB,
      handle: (input, job) => list(input, job, scheduler),
    }),
  };
}
