/** Makes the steps of a job's life from what the worker has opened. */
import type { Logger } from "pino";
import { brokerUserOf } from "./broker/address.ts";
import type { Delivery } from "./broker/consume.ts";
import { DEFAULT_MAX_BODY_BYTES } from "./broker/consume-link.ts";
import type { Publisher } from "./broker/publish.ts";
import { type ConnectionPlan, jobTransactions } from "./engine/connections.ts";
import { DEFAULT_MAX_ATTEMPTS, type WorkerDefinition } from "./engine/define-worker.ts";
import type { FilesTools } from "./files/job-files.ts";
import { receiveBuried } from "./job/burials.ts";
import { type Claims, createClaims } from "./job/claim.ts";
import { type Commits, createCommits } from "./job/commit.ts";
import { createCourier } from "./job/courier.ts";
import { endEvictions } from "./job/evictions.ts";
import type { Gate } from "./job/gate.ts";
import { receiveLater } from "./job/held.ts";
import { createLife, type Life } from "./job/life.ts";
import type { LiveJobs } from "./job/live-jobs.ts";
import { createReception, type Received, receive } from "./job/receive.ts";
import { maxInputBytesOf } from "./job/reception.ts";
import { RetryBudget } from "./job/retry.ts";
import { createRun } from "./job/run.ts";
import { createSettle } from "./job/settle.ts";
import { type Connections, createConnections } from "./job/transaction.ts";
import { createTurns } from "./job/turn.ts";
import type { Config } from "./process/config.ts";
import type { Metrics } from "./process/metrics.ts";
import type { Pool } from "./stores/database.ts";
import type { Redis } from "./stores/redis.ts";
import type { Tracing } from "./tracing/trace-worker.ts";
import { BURIALS, brokerNames, redisKeys } from "./wire/names.ts";

/** The steps that touch the world, replaceable one by one in tests of faults. */
export interface Parts {
  receive(delivery: Delivery): Received;
  claims: Claims;
  commits: Commits;
  connections: Connections;
  publisher: Publisher;
}

/** What a life needs beside its parts. */
export interface LifeDependencies {
  definition: WorkerDefinition;
  config: Pick<Config, "ENGINE_PREFIX" | "RETRY_BUDGET" | "REPLY_EXCHANGE" | "own">;
  log: Logger;
  metrics: Metrics;
  live: LiveJobs;
  gate: Gate;
  redis: Redis;
  /** Undefined for an engine without files. */
  files?: FilesTools | undefined;
  /** Undefined without tracing: nothing is wrapped then. */
  tracing?: Pick<Tracing, "life" | "run"> | undefined;
  draining(): boolean;
  /** Aborts when the drain is over. */
  signal: AbortSignal;
}

/** What the worker has opened, and is. */
export interface PartsDependencies extends LifeDependencies {
  config: Config;
  plan: ConnectionPlan;
  pool: Pool;
  publisher: Publisher;
  /** Told when Postgres can't be used, and when it can again. */
  onOutage(down: boolean): void;
}

/** Puts the steps in their order. */
export function assembleLife(parts: Parts, dependencies: LifeDependencies): Life {
  const { definition, config, log, metrics, live, gate, redis, files, tracing, draining, signal } =
    dependencies;
  const { claims, commits, connections, publisher } = parts;
  const names = brokerNames(config.ENGINE_PREFIX);
  const tools = {
    definition,
    log,
    redis: definition.redis ? redis : undefined,
    files,
    keyPrefix: redisKeys.engine(config.ENGINE_PREFIX, definition.name),
    connections,
    timeoutMs: definition.timeoutMs,
    onFirstReport: () => live.onFirstReport(),
    hasTransactions: jobTransactions(definition) > 0,
    env: config.own,
  };
  const onUndelivered = metrics.undelivered;
  const courier = createCourier({ publisher, log, onUndelivered, signal });
  const budget = new RetryBudget(config.RETRY_BUDGET);
  const maxAttempts = definition.maxAttempts ?? DEFAULT_MAX_ATTEMPTS;
  const replyExchange = config.REPLY_EXCHANGE;
  const isBurials = definition.name === BURIALS;
  const run = createRun({ definition, commits, tools, log, signal });
  const untraced = createLife({
    receive: parts.receive,
    turns: createTurns({ claims, commits, gate, live, tools, maxAttempts, log, draining }),
    run: tracing?.run(run) ?? run,
    commits,
    settle: createSettle({
      ...{ publisher, courier, claims, names, replyExchange, budget, log, signal },
      engine: definition.name,
      // What the broker drops of an engine's may be as large as any engine takes.
      maxBodyBytes: isBurials ? DEFAULT_MAX_BODY_BYTES : maxInputBytesOf(definition),
    }),
    maxAttempts,
    metrics,
    log,
    signal,
  });
  const life = tracing?.life(untraced, names.queue(definition.name)) ?? untraced;
  if (!isBurials) return life;
  const { receive } = parts;
  return endEvictions(life, { names, replyExchange, receive, courier, metrics, log });
}

export function makeParts(dependencies: PartsDependencies): Parts {
  const { definition, config, plan, log, metrics, pool, redis, publisher, onOutage } = dependencies;
  const reception = createReception({
    definition,
    names: brokerNames(config.ENGINE_PREFIX),
    replyToAllow: config.REPLY_TO_ALLOW,
    replyExchange: config.REPLY_EXCHANGE,
    maxAgeMs: config.RETENTION_DAYS * 86_400_000,
    runtimeUsers: [brokerUserOf(config.AMQP_URL), config.TOOLS_USER],
    isPublisherRequired: config.PUBLISHER_REQUIRED,
  });
  return {
    publisher,
    claims: createClaims({
      redis,
      prefix: config.ENGINE_PREFIX,
      leaseMs: config.LEASE_MS,
      ttlMs: config.CLAIM_TTL_S * 1000,
      onSkipped(jobs, error) {
        metrics.redisSkipped(jobs);
        if (error !== undefined) log.warn({ err: error, jobs }, "going on without redis");
      },
    }),
    commits: createCommits({
      pool,
      worker: config.WORKER_ID,
      prepared: config.DATABASE_PREPARED,
      log,
      onOutage,
    }),
    connections: createConnections({ pool, ...plan, onWaited: metrics.connectionWaited }),
    receive: (delivery) =>
      definition.name === BURIALS
        ? receiveBuried(delivery, reception)
        : definition.later !== undefined
          ? receiveLater(delivery, reception, definition.later, Date.now())
          : receive(delivery, reception, Date.now()),
  };
}
