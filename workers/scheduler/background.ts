/** What runs beside the jobs: the clock, the schedules' file, and the purge of old history. */
import type { BackgroundContext } from "@tl-engine/shared";
import { Clock } from "./clock.ts";
import type { Environment } from "./environment.ts";
import { countRounds } from "./metrics.ts";
import { purgeNowAndThen } from "./purge.ts";
import type { Round } from "./round.ts";
import { readScheduleFile, syncFile } from "./schedules.ts";
import { Ticks } from "./ticks.ts";

export interface Running {
  clock: Clock;
  stop(): Promise<void>;
}

/** @param publisher the scheduler's own user. */
export async function runBeside(
  context: BackgroundContext,
  env: Environment,
  publisher: string,
): Promise<Running> {
  const { db, transact, registry, log } = context;
  if (env.SCHEDULER_FILE !== undefined) {
    const specs = await readScheduleFile(env.SCHEDULER_FILE);
    await transact((tx) => syncFile(tx, specs));
    log.info({ schedules: specs.length }, "schedules of the file are in force");
  }
  const purge = purgeNowAndThen(context, env.SCHEDULER_HISTORY_DAYS);
  let ticks: Ticks | undefined;
  const count = countRounds(registry, () => clock.overdueS());
  const clock = new Clock({
    ...{ db, transact, log, publisher, signal: context.signal },
    publish: (job) => context.publish(job),
    report: (missing) => context.report(missing),
    onRound(round) {
      count(round);
      tellUnsendable(round, context);
      if (round.hasDone) purge();
    },
    onNext: (inMs) => ticks?.set(inMs),
  });
  ticks = new Ticks({
    ...{ log, keyPrefix: context.keyPrefix, openRedis: (options) => context.openRedis(options) },
    onTick: () => clock.look(),
    nextInMs: () => clock.nextInMs(),
    pollMs: env.SCHEDULER_POLL_MS,
  });
  await clock.start();
  ticks.start();
  return {
    clock,
    async stop() {
      await clock.stop();
      await ticks.stop();
    },
  };
}

function tellUnsendable({ unsendable }: Round, { log }: BackgroundContext): void {
  for (const jobId of unsendable)
    log.error(
      { jobId, alert: "job_unsendable" },
      "the broker can't take a job whose time has come",
    );
}
