/** Sets a run up: services, proxies, workers, caller, observer; and takes it down again. */
import { mkdirSync, rmSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import amqp from "amqplib";
import { proxyBefore, type UrlProxy } from "../../shared/testing/proxy.ts";
import { openCaller } from "./caller.ts";
import { check, type Finding } from "./checker.ts";
import { LEDGER_SQL } from "./engine/index.ts";
import { STEPS } from "./engine/steps.ts";
import { type EndState, toldJobs } from "./evidence.ts";
import type { Context, ServiceName } from "./faults/fault.ts";
import { declareTopology, migrateDatabase, removeTopology } from "./fleet.ts";
import { type History, openHistory } from "./history.ts";
import { makeLoad } from "./load.ts";
import { openObserver } from "./observer.ts";
import { randomFrom } from "./random.ts";
import { openReach } from "./reach.ts";
import { collectEndState, type RestOptions, waitForRest } from "./rest.ts";
import type { CrashServices } from "./services.ts";
import { type Supervisor, superviseWorkers } from "./supervisor.ts";

const ENGINE = "crash";
export const MAX_ATTEMPTS = 3;
export const LEASE_MS = 2_000;
const WORKER_READY_TIMEOUT_MS = 30_000;
/** Longer than the drain deadline, which derives from the engine's timeout. */
const STOP_GRACE_MS = 25_000;

export interface StageOptions {
  services: CrashServices;
  seed: number;
  workers: number;
  /** Faults and jobs that are planned, for the record. */
  faults: number;
  jobs: number;
  /** Below `out/crash-test`, for the history and the logs. */
  folder: string;
  /** Name of a planted bug. */
  bug?: string;
  /** Replaces the delivery limit of the queues; for a planted bug. */
  deliveryLimit?: number;
  say(line: string): void;
}

export interface Stage {
  context: Context;
  supervisor: Supervisor;
  history: History;
  /** Waits for rest, stops the workers, and judges. */
  finish(restTimeoutMs: number): Promise<{ findings: Finding[]; end: EndState }>;
  close(): Promise<void>;
}

/** Where a run's history and logs are, below the working directory; each run empties its own first. */
export const evidenceFolder = (name: string) => join("out", "crash-test", name);

export async function openStage(options: StageOptions): Promise<Stage> {
  const { services, seed } = options;
  const runId = `ct${seed}-${process.pid.toString(36)}-${Date.now().toString(36)}`;
  // Fresh names for every run: services that came by URL may hold what an earlier run left.
  const prefix = runId.toLowerCase().slice(0, 31);
  const folder = evidenceFolder(options.folder);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const history = openHistory(join(folder, "history.ndjson"));
  history.append({
    kind: "run",
    seed,
    faults: options.faults,
    jobs: options.jobs,
    maxAttempts: MAX_ATTEMPTS,
  });
  options.say(`seed ${seed}: history and logs in ${relative(".", folder)}`);

  const closers: (() => Promise<unknown>)[] = [() => history.close()];
  const close = async () => {
    for (const closer of closers.reverse())
      await closer().catch((error) => options.say(String(error)));
  };
  try {
    return await raise(options, { prefix, folder, runId, history, closers, close, services });
  } catch (error) {
    await close();
    throw error;
  }
}

interface Ground {
  prefix: string;
  folder: string;
  runId: string;
  history: History;
  closers: (() => Promise<unknown>)[];
  close(): Promise<void>;
  services: CrashServices;
}

async function raise(options: StageOptions, ground: Ground): Promise<Stage> {
  const { prefix, history, closers, services } = ground;
  const { urls } = services;
  const random = randomFrom(options.seed);
  const reach = openReach(urls, prefix, ENGINE);
  closers.push(() => reach.close());
  await migrateDatabase(urls.postgres);
  await reach.query(LEDGER_SQL);
  await reach.query("DELETE FROM engine.results WHERE engine = $1", [ENGINE]);
  await declareTopology(urls.amqp, prefix, options.deliveryLimit);
  closers.push(() => removeTopology(urls.amqp, prefix));

  const observer = await openObserver(history);
  closers.push(() => observer.close());
  const caller = await openCaller({
    amqpUrl: urls.amqp,
    prefix,
    own: `${prefix}x`,
    engine: ENGINE,
    history,
  });
  closers.push(() => caller.close());
  const proxies = await openProxies(urls, options.workers);
  closers.push(() =>
    Promise.all(
      Object.values(proxies)
        .flat()
        .map((proxy) => proxy.close()),
    ),
  );
  const supervisor = superviseWorkers({
    entry: fileURLToPath(new URL("./worker.ts", import.meta.url)),
    count: options.workers,
    nodeOptions: nodeOptions(),
    env: (index) => workerEnv(options, prefix, proxies, observer.url, index),
    folder: ground.folder,
    history,
  });
  let stopped: Promise<string[]> | undefined;
  const stopWorkers = () => (stopped ??= supervisor.stop(STOP_GRACE_MS));
  closers.push(stopWorkers);
  await supervisor.allReady(WORKER_READY_TIMEOUT_MS);

  const context: Context = {
    random,
    history,
    caller,
    load: makeLoad(caller, random, ground.runId),
    slots: supervisor.slots,
    proxies,
    own: services.own,
    rabbitmqctl: services.rabbitmqctl,
    reach,
    leaseMs: LEASE_MS,
    declareTopology: () => declareTopology(urls.amqp, prefix),
    nextStep: turns(random.shuffle(STEPS)),
    note: () => {},
  };
  const rest: RestOptions = {
    reach,
    caller,
    history,
    prefix,
    engine: ENGINE,
    workers: options.workers,
    timeoutMs: 0,
    rescue: () => rescue(urls.amqp, prefix),
  };
  return {
    context,
    supervisor,
    history,
    async finish(restTimeoutMs) {
      if (history.entries.some(({ kind }) => kind === "queue-deleted")) {
        // Nothing stays lost: who was not told of an end publishes the job again under the same id. The
        // queue may have swallowed a job between its row and its reply.
        await context.load.resendUntold(toldJobs(await reach.rows(), history.entries));
      }
      const restless = await waitForRest({ ...rest, timeoutMs: restTimeoutMs });
      const late = await stopWorkers();
      // Rows of the last jobs stay in doubt until the workers are gone.
      await sleep(200);
      const end = await collectEndState(rest, restless);
      const findings = check(history.entries, end);
      for (const name of late)
        findings.push({
          rule: "exit",
          category: "stuck",
          message: `${name} had to be killed at the end`,
        });
      return { findings, end };
    },
    close: ground.close,
  };
}

/** A small heap, so that a job that exhausts memory does it in a moment. */
function nodeOptions(): string[] {
  const preload = new URL("./engine/skew-clock.ts", import.meta.url).href;
  return ["--max-old-space-size=160", "--import", preload];
}

async function openProxies(
  urls: CrashServices["urls"],
  workers: number,
): Promise<Record<ServiceName, UrlProxy[]>> {
  const open = (url: string) =>
    Promise.all(Array.from({ length: workers }, () => proxyBefore(url)));
  return {
    broker: await open(urls.amqp),
    postgres: await open(urls.postgres),
    redis: await open(urls.redis),
  };
}

function workerEnv(
  options: StageOptions,
  prefix: string,
  proxies: Record<ServiceName, UrlProxy[]>,
  observerUrl: string,
  index: number,
): Record<string, string> {
  const through = (service: ServiceName) => (proxies[service][index] as UrlProxy).url;
  return {
    PATH: process.env.PATH ?? "",
    AMQP_URL: through("broker"),
    DATABASE_URL: through("postgres"),
    REDIS_URL: through("redis"),
    ENGINE_PREFIX: prefix,
    LEASE_MS: String(LEASE_MS),
    AMQP_HEARTBEAT_S: "2",
    HEALTH_PORT: "0",
    // Workers start again and again.
    NODE_COMPILE_CACHE: resolve("out", "crash-test", "compile-cache"),
    LOG_LEVEL: process.env.LOG_LEVEL ?? "info",
    OBSERVER_URL: observerUrl,
    ...(options.bug ? { CRASH_TEST_BUG: options.bug } : {}),
  };
}

/** Takes turns through `items` for ever. */
function turns<Item>(items: Item[]): () => Item {
  let next = 0;
  return () => items[next++ % items.length] as Item;
}

/** Puts jobs back that met no queue while it was deleted, as an operator would. */
async function rescue(amqpUrl: string, prefix: string): Promise<void> {
  const connection = await amqp.connect(amqpUrl, {
    clientProperties: { connection_name: "crash-test" },
  });
  connection.on("error", () => {});
  try {
    const channel = await connection.createConfirmChannel();
    channel.on("error", () => {});
    for (;;) {
      const message = await channel.get(`${prefix}.unrouted`);
      if (message === false) return;
      const { exchange, routingKey } = message.fields;
      const { headers = {}, ...properties } = message.properties;
      const { "x-death": _death, ...kept } = headers;
      channel.publish(exchange, routingKey, message.content, { ...properties, headers: kept });
      await channel.waitForConfirms();
      channel.ack(message);
    }
  } finally {
    await connection.close().catch(() => {});
  }
}
