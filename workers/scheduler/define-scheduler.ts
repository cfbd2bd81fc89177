/** The scheduler's definition, with a clock of its own: two in one process are two. */
import { action, defineWorker } from "@tl-engine/shared";
import { z } from "zod";
import { controlActions } from "./actions.ts";
import { type Running, runBeside } from "./background.ts";
import type { Scheduler } from "./control.ts";
import { Environment } from "./environment.ts";
import { HeldJob, sealed } from "./held-job.ts";
import { hold } from "./hold.ts";

const MIB = 1_048_576;

export function defineScheduler() {
  let running: Running | undefined;
  let admins: readonly string[] = [];
  let publisher = "";
  const scheduler: Scheduler = {
    publisher: () => publisher,
    isAdmin: (name) => name !== undefined && admins.includes(name),
    onPut: (dueMs, xid) => running?.clock.onHeld(dueMs, xid),
  };
  return defineWorker({
    name: "scheduler",
    concurrency: 256,
    timeoutMs: 30_000,
    transactions: 1,
    redis: true,
    env: Environment,
    later: { action: "hold", map: sealed },
    async background(context) {
      const env = context.env as Environment;
      admins = env.SCHEDULER_ADMINS;
      // By the engines' convention: `engine:scheduler:` is `engine.scheduler`'s.
      publisher = context.keyPrefix.slice(0, -1).replace(":", ".");
      running = await runBeside(context, env, publisher);
      return () => (running as Running).stop();
    },
    actions: {
      /** Keeps a job until its time. The runtime alone makes its input, of jobs with `x-run-at`. */
      hold: action({
        version: 1,
        input: HeldJob,
        output: z.object({
          outcome: z
            .enum(["held", "older"])
            .describe("`older`: a newer one of its id is held already."),
        }),
        // As much as the largest that any engine takes.
        maxInputBytes: 16 * MIB,
        handleBatch: (jobs, { tx }) =>
          hold(
            jobs.map(({ input }) => input),
            tx,
            scheduler.onPut,
          ),
      }),
      ...controlActions(scheduler),
    },
  });
}
