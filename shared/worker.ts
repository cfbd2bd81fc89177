/** Puts a worker together from its parts, starts it, and stops it in order. Nothing is consumed until all that can fail has succeeded. */
import type { Logger } from "pino";
import { type RunningBackground, startBackground } from "./background.ts";
import type { Consumer } from "./broker/consume.ts";
import { planLanes } from "./broker/lanes.ts";
import { Closers, Drain } from "./drain.ts";
import { planConnections } from "./engine/connections.ts";
import { drainDeadlineMs, stuckAfterMs } from "./engine/deadlines.ts";
import type { WorkerDefinition } from "./engine/define-worker.ts";
import { createFilesPurge } from "./files/files-purge.ts";
import { Gate } from "./job/gate.ts";
import { Aborted } from "./job/job-context.ts";
import type { Life } from "./job/life.ts";
import { LiveJobs } from "./job/live-jobs.ts";
import { type Opened, openAll } from "./opening.ts";
import { assembleLife, makeParts, type Parts } from "./parts.ts";
import type { Config } from "./process/config.ts";
import { createLog } from "./process/log.ts";
import { createMetrics, type Metrics } from "./process/metrics.ts";
import { whatIsMissing } from "./readiness.ts";
import { createOwnPurge, createPurge, type Purge } from "./stores/purge.ts";
import { traceWorker } from "./tracing/trace-worker.ts";
import { startWatches } from "./watches.ts";

export type { Parts };

export interface StartOptions {
  log?: Logger;
  /** Replaces parts; tests only. */
  parts?(parts: Parts): Parts;
  /** Default: {@link stuckAfterMs} of the definition; tests only. */
  stuckAfterMs?: number;
  /** Folder of the worker, whose migrations must have run. */
  folder?: string;
}

export interface RunningWorker {
  /** Port of /healthz, /readyz and /metrics. */
  healthPort: number;
  /** Undefined when jobs flow, else what is missing. */
  notReady(): string | undefined;
  /** Drains: nothing new starts, what runs may finish within the drain deadline, the rest goes back uncounted. */
  stop(): Promise<void>;
}

/**
 * Starts consuming. Throws, with what to do and without having touched a job, when a server can't be reached or is
 * not fit: a queue or a migration is missing, Redis may evict, a policy overrides our queues, the port is taken.
 */
export async function startWorker(
  definition: WorkerDefinition,
  config: Config,
  options: StartOptions = {},
): Promise<RunningWorker> {
  const { name: engine } = definition;
  const fields = { engine, env: config.ENGINE_ENV, worker: config.WORKER_ID };
  const log = options.log ?? createLog(fields, config.LOG_LEVEL);
  const plan = planConnections(definition, config.DATABASE_POOL_MAX);
  const gate = new Gate(planLanes(definition, config.MAX_PREFETCH).running);
  const closers = new Closers(log);
  const live = new LiveJobs();
  const ending = new AbortController();
  const state = { databaseDown: false, consuming: false };
  let consumer: Consumer | undefined;
  let parts: Parts | undefined;
  let life: Life | undefined;
  let background: RunningBackground | undefined;
  let purge = () => {};

  const drain = new Drain({
    log,
    deadlineMs: drainDeadlineMs(definition),
    // What waits for its turn is handed back at once, not when a long job has ended.
    stopConsuming() {
      gate.close();
      return allEnded(background?.stop(), consumer?.cancel());
    },
    giveBack() {
      const shutdown = new Aborted("shutdown", "the worker stops");
      for (const { context } of live.filter(() => true)) context.abort(shutdown);
      parts?.commits.stop();
      ending.abort(shutdown);
    },
    close: () => closers.closeAll(),
  });
  const patienceMs = options.stuckAfterMs ?? stuckAfterMs(definition);
  const notReady = () =>
    whatIsMissing({ drain, consumer, publisher: parts?.publisher, ...state, patienceMs }) ??
    background?.missing();
  const metrics = createMetrics({
    engine,
    inFlight: () => drain.inFlight,
    heldForMs: () => drain.heldForMs,
    heldBytes: () => consumer?.heldBytes ?? 0,
    ready: () => notReady() === undefined,
  });

  try {
    const opened = await openAll({
      ...{ definition, config, plan, folder: options.folder, closers, metrics, log, notReady },
      onDelivery(delivery) {
        drain.enter();
        if (delivery.undecodable !== undefined) metrics.undecodable();
        return (life as Life)(delivery).then(() => {
          purge();
          drain.leave();
        });
      },
    });
    consumer = opened.consumer;
    purge = purgeAll(definition, config, opened, log);
    const onOutage = (down: boolean) => {
      state.databaseDown = down;
      tellOutage(down, metrics, opened.consumer);
    };
    const tracing = await traceWorker(config, engine, log);
    closers.add(() => tracing?.stop());
    const dependencies = {
      tracing,
      ...{ definition, config, plan, log, metrics, live, gate, onOutage, ...opened },
      draining: () => drain.draining,
      signal: ending.signal,
    };
    const made = makeParts(dependencies);
    const replaced = options.parts?.(made) ?? made;
    parts = tracing?.parts(replaced) ?? replaced;
    life = assembleLife(parts, dependencies);
    for (const end of startWatches(parts.claims, dependencies)) closers.add(end);
    state.consuming = true;
    background = await startBackground(dependencies);
    await consumer.start();
    purge();
    log.info(readyFields(opened, config), "ready");
    return { healthPort: opened.healthPort, notReady, stop: () => drain.stop() };
  } catch (error) {
    // What was delivered meanwhile ends as in any drain.
    await (state.consuming ? drain.stop() : closers.closeAll());
    throw error;
  }
}

const readyFields = ({ healthPort }: Opened, { REPLY_EXCHANGE }: Config) => ({
  healthPort,
  replies: REPLY_EXCHANGE || "default exchange",
});

function tellOutage(down: boolean, metrics: Metrics, consumer: Consumer): void {
  metrics.databaseOutage(down);
  if (down) consumer.pause();
  else consumer.resume();
}

async function allEnded(...ends: (Promise<void> | undefined)[]): Promise<void> {
  await Promise.allSettled(ends);
}

/** Of results, of files, and of the engine's own tables where it says how. To be called often. */
function purgeAll(
  definition: WorkerDefinition,
  config: Config,
  { pool, files }: Pick<Opened, "pool" | "files">,
  log: Logger,
): () => void {
  const { name: engine, purge: own } = definition;
  const purges: Purge[] = [
    createPurge({ pool, engine, retentionDays: config.RETENTION_DAYS, log }),
  ];
  if (own) purges.push(createOwnPurge((tx, after) => own(tx, config.own, after), { pool, log }));
  if (files) purges.push(createFilesPurge(files, pool, log));
  return () => {
    for (const purge of purges) purge.afterCommit();
  };
}
