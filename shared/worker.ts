/** Puts a worker together from its parts, starts it, and stops it in order. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { type Consumer, type Delivery, openConsumer } from "./broker/consume.ts";
import { PolicyOverride, refusePolicies } from "./broker/policies.ts";
import { openPublisher, type Publisher } from "./broker/publish.ts";
import { BURIALS } from "./broker/topology.ts";
import { drainDeadlineMs } from "./engine/deadlines.ts";
import type { WorkerDefinition } from "./engine/define-worker.ts";
import { receiveBuried } from "./job/burials.ts";
import { type Claims, createClaims } from "./job/claim.ts";
import { type Commits, createCommits } from "./job/commit.ts";
import { Gate } from "./job/gate.ts";
import { createLife, type Life, shutdown } from "./job/life.ts";
import { beatHearts, LiveJobs, listenForCancels } from "./job/live-jobs.ts";
import { createReception, type Received, receive } from "./job/receive.ts";
import { RetryBudget } from "./job/retry.ts";
import { createSettle } from "./job/settle.ts";
import { createTransactions, type Transactions } from "./job/transaction.ts";
import type { Config } from "./process/config.ts";
import { serveHealth } from "./process/health.ts";
import { createLog } from "./process/log.ts";
import { createMetrics } from "./process/metrics.ts";
import { openDatabase } from "./stores/database.ts";
import { readMigrations } from "./stores/migrate.ts";
import { createPurge } from "./stores/purge.ts";
import { openRedis } from "./stores/redis.ts";
import { checkDatabase, checkRedis } from "./stores/start-checks.ts";
import { brokerNames, redisKeys } from "./wire/names.ts";

/** The steps that touch the world, replaceable one by one in tests of faults. */
export interface Parts {
  receive(delivery: Delivery): Received;
  claims: Claims;
  commits: Commits;
  transactions: Transactions;
  publisher: Publisher;
}

export interface StartOptions {
  log?: Logger;
  /** Replaces parts; tests only. */
  parts?(parts: Parts): Parts;
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

/** What an aborted handler and the last writes get to end. */
const ABORT_GRACE_MS = 1_000;

/**
 * Starts consuming. Throws, with what to do, when a server can't be reached or is not fit: a queue or
 * a migration is missing, Redis may evict, a policy overrides our queues.
 */
export async function startWorker(
  definition: WorkerDefinition,
  config: Config,
  options: StartOptions = {},
): Promise<RunningWorker> {
  const engine = definition.name;
  const names = brokerNames(config.ENGINE_PREFIX);
  const log =
    options.log ??
    createLog({ engine, env: config.ENGINE_ENV, worker: config.WORKER_ID }, config.LOG_LEVEL);
  const prefetch = Math.min(definition.concurrency, config.MAX_PREFETCH ?? definition.concurrency);
  const closers: (() => Promise<unknown> | unknown)[] = [];
  const live = new LiveJobs();
  const ending = new AbortController();
  let inFlight = 0;
  let draining = false;
  let databaseDown = false;
  let consumer: Consumer | undefined;
  let onIdle: (() => void) | undefined;

  async function closeAll(): Promise<void> {
    for (const close of closers.toReversed()) {
      try {
        await close();
      } catch (error) {
        log.warn({ err: error }, "closing failed");
      }
    }
  }

  const notReady = () => {
    if (draining) return "draining";
    if (consumer?.ready() !== true) return "no consumer on the queue";
    if (!parts.publisher.ready()) return "no publishing connection";
    if (databaseDown) return "postgres can't be used";
    return undefined;
  };
  const metrics = createMetrics({
    engine,
    inFlight: () => inFlight,
    ready: () => notReady() === undefined,
  });

  const redis = openRedis(config.REDIS_URL, log);
  closers.push(() => redis.disconnect());
  const pool = openDatabase(
    {
      databaseUrl: config.DATABASE_URL,
      max: config.DATABASE_POOL_MAX,
      name: `tl-engine ${engine}`,
    },
    log,
  );
  closers.push(() => pool.end());

  const claimKey = (id: string) => redisKeys.claim(config.ENGINE_PREFIX, engine, id);
  const claimKeys: [string, string] = [claimKey("start-1"), claimKey("start-2")];
  const closeLater = <Opened extends { close(): Promise<unknown> }>(opening: Promise<Opened>) => {
    closers.push(async () => (await opening.catch(() => undefined))?.close());
    return opening;
  };
  const purge = createPurge({ pool, engine, retentionDays: config.RETENTION_DAYS, log });

  let parts: Parts;
  let life: Life;
  try {
    const [publisher, opened] = await allOrFirstError([
      closeLater(openPublisher(config, engine, log)),
      closeLater(
        openConsumer(config, {
          engine,
          prefetch,
          log,
          onStaleAck: metrics.staleAcks,
          onDelivery(delivery) {
            inFlight++;
            void life(delivery).then(() => {
              purge.afterCommit();
              if (--inFlight === 0) onIdle?.();
            });
          },
        }),
      ),
      readMigrations(options.folder).then((migrations) =>
        checkDatabase(pool, config.DATABASE_URL, migrations),
      ),
      checkRedis(redis, { redisUrl: config.REDIS_URL, keys: claimKeys }, log),
      checkPolicies(config, engine, log),
    ]);
    const reception = createReception({
      definition,
      names,
      replyToAllow: config.REPLY_TO_ALLOW,
      maxAgeMs: config.RETENTION_DAYS * 86_400_000,
    });
    parts = {
      publisher,
      claims: createClaims({
        redis,
        prefix: config.ENGINE_PREFIX,
        leaseMs: config.LEASE_MS,
        ttlMs: config.CLAIM_TTL_S * 1000,
        onSkipped: (jobs, error) => {
          metrics.redisSkipped(jobs);
          if (error !== undefined) log.warn({ err: error, jobs }, "going on without redis");
        },
      }),
      commits: createCommits({
        pool,
        worker: config.WORKER_ID,
        prepared: config.DATABASE_PREPARED,
        log,
        onOutage: (down) => {
          databaseDown = down;
          metrics.databaseOutage(down);
          if (down) consumer?.pause();
          else consumer?.resume();
        },
      }),
      transactions: createTransactions(pool, config.DATABASE_POOL_MAX - 1),
      receive: (delivery) =>
        engine === BURIALS
          ? receiveBuried(delivery, reception)
          : receive(delivery, reception, Date.now()),
    };
    parts = options.parts?.(parts) ?? parts;

    life = createLife({
      definition,
      receive: parts.receive,
      claims: parts.claims,
      commits: parts.commits,
      settle: createSettle({
        publisher: parts.publisher,
        claims: parts.claims,
        names,
        log,
        onUnroutableReply: metrics.unroutableReply,
        signal: ending.signal,
      }),
      tools: {
        log,
        pool,
        redis,
        transactions: parts.transactions,
        timeoutMs: definition.timeoutMs,
      },
      gate: new Gate(),
      budget: new RetryBudget(config.RETRY_BUDGET),
      metrics,
      log,
      live,
      draining: () => draining,
      signal: ending.signal,
    });
    consumer = opened;
    await consumer.start();
    closers.push(beatHearts(live, parts.claims, config.LEASE_MS, log));
    closers.push(listenForCancels(live, redis, { prefix: config.ENGINE_PREFIX, engine, log }));
    const health = await serveHealth({
      port: config.HEALTH_PORT,
      notReady,
      metrics: metrics.render,
    });
    closers.push(() => health.close());
    log.info({ prefetch, healthPort: health.port }, "ready");
    return { healthPort: health.port, notReady, stop };
  } catch (error) {
    await closeAll();
    throw error;
  }

  function idle(withinMs: number): Promise<boolean> {
    if (inFlight === 0) return Promise.resolve(true);
    return Promise.race([
      new Promise<boolean>((resolve) => {
        onIdle = () => resolve(true);
      }),
      sleep(withinMs, false, { ref: false }),
    ]);
  }

  async function stop(): Promise<void> {
    if (draining) return;
    draining = true;
    log.info({ inFlight }, "draining");
    await consumer?.cancel();
    if (!(await idle(drainDeadlineMs(definition)))) {
      log.warn({ inFlight }, "the drain deadline passed, giving back what still runs");
      for (const { context } of live.filter(() => true)) context.abort(shutdown());
      parts.commits.stop();
      ending.abort(shutdown());
      await idle(ABORT_GRACE_MS);
    }
    await closeAll();
    log.info("stopped");
  }
}

/** Like Promise.all, but it waits for all, so that nothing opens after the others were closed. */
async function allOrFirstError<T extends readonly unknown[]>(
  promises: readonly [...{ [K in keyof T]: Promise<T[K]> }],
) {
  const settled = await Promise.allSettled(promises);
  for (const result of settled) if (result.status === "rejected") throw result.reason;
  return Promise.all(promises);
}

async function checkPolicies(config: Config, engine: string, log: Logger): Promise<void> {
  if (config.RABBITMQ_MANAGEMENT_URL === undefined) return;
  const names = brokerNames(config.ENGINE_PREFIX);
  const vhost = decodeURIComponent(new URL(config.AMQP_URL).pathname.slice(1)) || "/";
  try {
    await refusePolicies(config.RABBITMQ_MANAGEMENT_URL, vhost, engine, names);
  } catch (error) {
    if (error instanceof PolicyOverride) throw error;
    log.warn(
      { err: error },
      "the management API does not say whether policies override our queues",
    );
  }
}
