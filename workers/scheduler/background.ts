/** What runs beside the jobs: the clock, the schedules' file, and the purge of old history. */
import type { BackgroundContext } from "@tl-engine/shared";
import { Clock } from "./clock.ts";
import type { Environment } from "./environment.ts";
import { countRounds } from "./metrics.ts";
import type { Round } from "./round.ts";
import { readScheduleFile, syncFile } from "./schedules.ts";
import { Ticks } from "./ticks.ts";

const PURGE_EVERY_MS = 600_000;
const DAY_MS = 86_400_000;
const PURGE = `
  delete from engine_scheduler.slots where ctid = any (array(
    select ctid from engine_scheduler.slots where decided_ms < $1 limit 5000 for update skip locked))`;

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

/** Only while something goes on anyway, so that Postgres may sleep. What it throws harms nothing. */
function purgeNowAndThen({ db, log }: BackgroundContext, days: number): () => void {
  let nextMs = 0;
  return () => {
    const now = performance.now();
    if (now < nextMs) return;
    nextMs = now + PURGE_EVERY_MS;
    db.query(PURGE, [Math.floor(Date.now() - days * DAY_MS)]).catch((error) =>
      log.warn({ err: error }, "scheduler: old history could not be purged"),
    );
  };
}
