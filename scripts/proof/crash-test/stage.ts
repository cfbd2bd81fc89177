/** Sets a run up: services, proxies, workers, caller, observer; and takes it down again. */

import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { brokerUserOf } from "@tl-engine/shared/broker/address";
import amqp from "amqplib";
import { Claims } from "../../../shared/client/claims.ts";
import { proxyBefore, type UrlProxy } from "../../../shared/testing/proxy.ts";
import { BURIALS } from "../../../shared/wire/names.ts";
import { randomFrom } from "../../show/random.ts";
import { type Caller, openCaller, openWatcher } from "./caller.ts";
import { check } from "./checker.ts";
import { LEDGER_SQL } from "./engine/index.ts";
import { watchStalls } from "./engine/journal.ts";
import { STEPS, type Step } from "./engine/steps.ts";
import { type EndState, toldJobs } from "./evidence.ts";
import type { Context, ServiceName } from "./faults/fault.ts";
import type { Finding } from "./finding.ts";
import { declareTopology, migrateDatabase, removeTopology } from "./fleet.ts";
import { addForger, FORGER } from "./forger.ts";
import { type History, openHistory } from "./history.ts";
import { makeLoad } from "./load.ts";
import { openObserver } from "./observer.ts";
import { openReach } from "./reach.ts";
import { collectEndState, type RestOptions, waitForRest } from "./rest.ts";
import type { CrashServices } from "./services.ts";
import { type Slot, type Supervisor, superviseWorkers } from "./supervisor.ts";

const ENGINE = "crash";
/** The first one replays dead letters. */
const CALLERS = ["operator", "ada", "bob", "cleo"];
export const MAX_ATTEMPTS = 3;
export const LEASE_MS = 2_000;
/** Room for two of the bodies that the fault `heavy` sends. */
const MAX_HELD_BYTES = 8_388_608;
const WORKER_READY_TIMEOUT_MS = 30_000;
/** Longer than the drain deadline, which derives from the engine's timeout; a planted bug is not waited for. */
const STOP_GRACE_MS = { clean: 25_000, bug: 1_000 };

export interface StageOptions {
  services: CrashServices;
  seed: number;
  workers: number;
  /** Faults and jobs that are planned, for the record. */
  faults: number;
  jobs: number;
  /** Below `out/crash-test`, for the history and the logs. */
  folder: string;
  /** Names of planted bugs, each for a lane of its own; see bugs/index.ts. */
  bugs?: string[];
  /** Replaces the delivery limit of the queues; for a planted bug. */
  deliveryLimit?: number;
  say(line: string): void;
}

export interface Stage {
  context: Context;
  supervisor: Supervisor;
  /** How often each step was hit while a job was in it. */
  stepHits(): Map<Step, number>;
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
    leaseMs: LEASE_MS,
    maxHeldBytes: MAX_HELD_BYTES,
  });
  options.say(`seed ${seed}: history and logs in ${relative(".", folder)}`);

  const endWatch = watchStalls((fromMs) => history.append({ kind: "stall", fromMs }));
  const closers: (() => Promise<unknown>)[] = [() => history.close(), async () => endWatch()];
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
  const reach = openReach(urls, prefix, ENGINE);
  closers.push(() => reach.close());
  await migrateDatabase(urls.postgres);
  await reach.query(LEDGER_SQL);
  await reach.query("DELETE FROM engine.results WHERE engine = $1", [ENGINE]);
  await declareTopology(urls.amqp, prefix, options.deliveryLimit);
  closers.push(() => removeTopology(urls.amqp, prefix));

  const outside = await openOutside(ground);
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
    names: [...Array.from({ length: options.workers }, (_, at) => `worker-${at + 1}`), BURIALS],
    nodeOptions: nodeOptions(),
    env: (index) => workerEnv(options, prefix, proxies, outside.observer.url, index),
    folder: ground.folder,
    history,
  });
  let stopped: Promise<string[]> | undefined;
  const stopWorkers = () =>
    (stopped ??= supervisor.stop(STOP_GRACE_MS[options.bugs ? "bug" : "clean"]));
  closers.push(stopWorkers);
  await supervisor.allReady(WORKER_READY_TIMEOUT_MS);

  const stepHits = () => readStepHits(join(ground.folder, "steps.ndjson"));
  const context = contextOf(options, ground, { outside, proxies, supervisor, reach, stepHits });
  const rest = restOf(options, ground, outside, reach);
  async function finish(restTimeoutMs: number): Promise<{ findings: Finding[]; end: EndState }> {
    if (wasDeleted(history)) {
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
    for (const name of options.bugs ? [] : late)
      findings.push({
        rule: "exit",
        category: "stuck",
        message: `${name} had to be killed at the end`,
      });
    return { findings, end };
  }
  return { context, supervisor, history, stepHits, finish, close: ground.close };
}

/** Whoever is not the fleet: those that publish, watch, cancel, and see effects. */
async function openOutside({ prefix, history, closers, services }: Ground) {
  const { urls } = services;
  const isOwn = services.own !== undefined;
  const observer = await openObserver(history);
  closers.push(() => observer.close());
  const own = `${prefix}x`;
  const toBroker = { amqpUrl: urls.amqp, prefix, own, engine: ENGINE, history };
  const watcher = await openWatcher(toBroker);
  closers.push(() => watcher.close());
  const everybody: Caller[] = [];
  closers.push(() => Promise.all(everybody.map((caller) => caller.close())));
  const open = async (name: string, amqpUrl = urls.amqp) => {
    const caller = await openCaller({ ...toBroker, amqpUrl, name });
    everybody.push(caller);
    return caller;
  };
  const callers: Caller[] = [];
  for (const name of CALLERS) callers.push(await open(name));
  const oddCaller = await open("dora");
  const forger = isOwn ? await open(FORGER, await addForger(urls, prefix, own)) : undefined;
  const claims = await Claims.open(
    urls.redis,
    { prefix, publisher: brokerUserOf(urls.amqp) },
    () => {},
  );
  closers.push(() => claims.close());
  return { own, observer, watcher, callers, oddCaller, forger, everybody, claims };
}

type Outside = Awaited<ReturnType<typeof openOutside>>;

interface Raised {
  outside: Outside;
  proxies: Record<ServiceName, UrlProxy[]>;
  supervisor: Supervisor;
  reach: ReturnType<typeof openReach>;
  stepHits: Stage["stepHits"];
}

function contextOf(options: StageOptions, ground: Ground, raised: Raised): Context {
  const { prefix, history, services } = ground;
  const { outside, proxies, supervisor, reach, stepHits } = raised;
  const { callers, oddCaller, forger, claims, own } = outside;
  const random = randomFrom(options.seed);
  return {
    random,
    history,
    load: makeLoad({
      callers: callers.slice(1),
      operator: callers[0] as Caller,
      // A caller whose cancellation did not get through is told so, and nothing is promised.
      cancel: (jobId) =>
        claims.cancel(ENGINE, jobId).then(
          ({ requested }) => requested,
          () => false,
        ),
      history,
      random,
      runId: ground.runId,
      forgedHeaders: diedIn(`${prefix}.${ENGINE}`),
      lanes: 1 + (options.bugs?.length ?? 0),
    }),
    slots: supervisor.slots.slice(0, -1),
    burials: supervisor.slots.at(-1) as Slot,
    callersPrefix: own,
    eventsExchange: `${prefix}.events`,
    oddCaller,
    forger,
    proxies,
    own: services.own,
    rabbitmqctl: services.rabbitmqctl,
    reach,
    leaseMs: LEASE_MS,
    declareTopology: () => declareTopology(services.urls.amqp, prefix),
    nextStep: leastHit(random.shuffle(STEPS), stepHits),
    note: () => {},
  };
}

const wasDeleted = ({ entries }: History) => entries.some(({ kind }) => kind === "queue-deleted");

function restOf(
  options: StageOptions,
  { prefix, history, folder, services }: Ground,
  { watcher, everybody }: Outside,
  reach: Raised["reach"],
): RestOptions {
  return {
    reach,
    seen: () => [watcher, ...everybody].reduce((sum, { seen }) => sum + seen(), 0),
    runLog: join(folder, "runs.ndjson"),
    history,
    engine: ENGINE,
    workers: options.workers,
    timeoutMs: 0,
    // Of its own accord nothing may come to lie there.
    rescue: async () => {
      if (wasDeleted(history)) await rescue(services.urls.amqp, prefix);
    },
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
  // The last place is that of burials, which shares the ways of the first worker.
  const isBurials = index === options.workers;
  const through = (service: ServiceName) =>
    (proxies[service][isBurials ? 0 : index] as UrlProxy).url;
  return {
    PATH: process.env.PATH ?? "",
    AMQP_URL: through("broker"),
    DATABASE_URL: through("postgres"),
    REDIS_URL: through("redis"),
    ENGINE_PREFIX: prefix,
    LEASE_MS: String(LEASE_MS),
    MAX_HELD_BYTES: String(MAX_HELD_BYTES),
    AMQP_HEARTBEAT_S: "2",
    HEALTH_PORT: "0",
    // Workers start again and again.
    NODE_COMPILE_CACHE: resolve("out", "crash-test", "compile-cache"),
    LOG_LEVEL: process.env.LOG_LEVEL ?? "info",
    OBSERVER_URL: observerUrl,
    ...(options.bugs ? { CRASH_TEST_BUGS: options.bugs.join(",") } : {}),
    ...(isBurials ? { CRASH_TEST_ENGINE: BURIALS } : {}),
  };
}

const diedIn = (queue: string) => ({
  "x-death": [{ count: 1, reason: "expired", queue, exchange: "", "routing-keys": [queue] }],
  "x-first-death-queue": queue,
});

/** What was hit least comes next; a step that was asked for in vain gives way for a while. */
function leastHit(steps: Step[], hits: () => Map<Step, number>): () => Step {
  const asked = new Map<Step, number>();
  return () => {
    const counts = hits();
    const score = (step: Step) => (counts.get(step) ?? 0) + (asked.get(step) ?? 0);
    const next = steps.reduce((least, step) => (score(step) < score(least) ? step : least));
    asked.set(next, (asked.get(next) ?? 0) + 1);
    return next;
  };
}

function readStepHits(path: string): Map<Step, number> {
  const hits = new Map<Step, number>(STEPS.map((step) => [step, 0]));
  if (!existsSync(path)) return hits;
  for (const line of readFileSync(path, "utf8").split("\n")) {
    if (line === "") continue;
    const { step, jobId } = JSON.parse(line) as { step: Step; jobId?: string };
    if (jobId !== undefined) hits.set(step, (hits.get(step) ?? 0) + 1);
  }
  return hits;
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
    const { messageCount } = await channel.checkQueue(`${prefix}.unrouted`);
    for (let count = 0; count < messageCount; count++) {
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
