/** The try itself, once its objects are in the cluster: a burst, a killed pod, back to zero, and what is to be said of it. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Observer, openObserver } from "../../proof/demo/observe.ts";
import { loadWorkers } from "../../workers.ts";
import { type Burst, ENGINE, publishBurst } from "./burst.ts";
import { check, type Verdict } from "./check.ts";
import { type Simulated, simulateBurst } from "./compare.ts";
import { findTrouble } from "./diagnose.ts";
import { type Killed, killPodInTheMiddle } from "./kill-pod.ts";
import type { TriedCluster } from "./kubectl.ts";
import { openPortForward } from "./port-forward.ts";
import { openResults, type Results } from "./results.ts";
import { type Passwords, urlsOf } from "./secrets.ts";
import { type Patience, until } from "./wait.ts";
import {
  isAtRest,
  peakOf,
  readLeast,
  type Sample,
  sampleReplicas,
  watchReplicas,
  zeroAfterS,
} from "./watch-replicas.ts";

export interface Trial {
  cluster: TriedCluster;
  prefix: string;
  runId: string;
  passwords: Passwords;
  jobs: number;
  patience: Patience;
}

export interface Outcome {
  verdict: Verdict;
  burst: Burst;
  killed: Killed | undefined;
  samples: readonly Sample[];
  peakReplicas: number;
  zeroAfterS: number | undefined;
  simulated: Simulated;
}

/** Between two looks for the pod to kill: a burst is short. */
const KILL_POLL_MS = 250;
const KILL_TIMEOUT_MS = 180_000;
/** KEDA's cooldown, the HPA's calm minutes and the backlog, and as much again. */
const ZERO_TIMEOUT_MS = 1_200_000;
/** What is on its way when the last pod has gone. */
const LAST_MESSAGES_MS = 15_000;

/** The name of a try; its jobs' ids begin with it. */
export const newRunId = () => `try-${randomBytes(5).toString("hex")}`;

export async function runTrial(trial: Trial): Promise<Outcome> {
  const { cluster, jobs, patience } = trial;
  const { signal, say, pollMs } = patience;
  await untilAtRest(cluster, patience);
  await using opened = new AsyncDisposableStack();
  const ways = await openWays(trial, opened);
  const { observer, results, idPrefix } = ways;
  const watch = opened.adopt(watchReplicas(cluster, pollMs), (it) => it.stop());
  const { samples } = watch;
  const ids = Array.from({ length: jobs }, (_, n) => `${idPrefix}${n}`);
  say(`Publishing ${jobs.toLocaleString("en-US")} jobs of ${ENGINE} through a port-forward …`);
  const { burst, killed } = await publishAndKill(trial, ways, ids);
  if (!killed) say(`No pod of ${ENGINE} was at work long enough to be killed: try more JOBS.`);
  await untilZeroAgain(cluster, samples, patience);
  await lastMessages(observer, jobs, signal);
  return {
    ...{ burst, killed, samples },
    verdict: check(await evidenceOf(ids, results, observer)),
    peakReplicas: peakOf(samples, ENGINE),
    zeroAfterS: zeroAfterS(samples, ENGINE, burst.startedAtMs),
    simulated: await simulateBurst(ENGINE, jobs, burst.seconds),
  };
}

/** A new Deployment has one replica until KEDA has looked at its queue. */
async function untilAtRest(cluster: TriedCluster, patience: Patience): Promise<void> {
  const least = await readLeast(cluster);
  const rests = async () => {
    if (isAtRest(await sampleReplicas(cluster), least)) return true;
    await expectNoTrouble(cluster);
    return undefined;
  };
  const look = cluster.command("get", "scaledobjects,deployments");
  await until("KEDA to bring the idle fleet to zero", patience, rests, look);
}

interface Ways {
  amqpUrl: string;
  results: Results;
  observer: Observer;
  /** How the ids of the burst begin. */
  idPrefix: string;
}

/** Port-forwards to the broker and the database, and who listens at their ends. */
async function openWays(trial: Trial, opened: AsyncDisposableStack): Promise<Ways> {
  const { cluster, prefix, runId, passwords, patience } = trial;
  const { signal, say } = patience;
  const forward = async (service: string, port: number) =>
    opened.adopt(await openPortForward(cluster, service, port, { say }), (it) => it.close());
  const [broker, database] = [await forward("rabbitmq", 5_672), await forward("postgres", 5_432)];
  const urls = urlsOf(passwords, { amqp: broker.address, postgres: database.address });
  // As those of every caller do that shares a database.
  const idPrefix = `${prefix}-${runId}-`;
  const { amqpUrl, databaseUrl } = urls;
  const results = opened.adopt(openResults(databaseUrl, idPrefix, signal), (it) => it.close());
  const observer = opened.adopt(
    await openObserver({
      ...{ amqpUrl, prefix, runId, workspaceId: runId },
      onGivenUp: ({ message }) => say(message),
    }),
    (it) => it.close(),
  );
  return { amqpUrl, results, observer, idPrefix };
}

async function publishAndKill(
  { cluster, prefix, runId, jobs, patience }: Trial,
  { amqpUrl, results, observer }: Ways,
  ids: readonly string[],
): Promise<{ burst: Burst; killed: Killed | undefined }> {
  const failed = new AbortController();
  const signal = AbortSignal.any([patience.signal, failed.signal]);
  const { replyQueue } = observer;
  const publishing = publishBurst({
    ...{ amqpUrl, prefix, ids, workspaceId: runId, replyQueue, signal },
  });
  const killing = killPodInTheMiddle(cluster, results, {
    ...{ engine: ENGINE, jobs, pollMs: KILL_POLL_MS, timeoutMs: KILL_TIMEOUT_MS },
    ...{ signal, say: patience.say },
  });
  try {
    const [burst, killed] = await Promise.all([publishing, killing]);
    return { burst, killed };
  } catch (error) {
    // The other one would go on for minutes.
    failed.abort(error);
    throw error;
  }
}

/** A pod for which there is no room yet may find some; all else stays as it is. */
async function expectNoTrouble(cluster: TriedCluster): Promise<void> {
  const trouble = await findTrouble(cluster);
  if (trouble && trouble.code !== "unschedulable") throw trouble;
}

/** One that does not come to zero is told, after what happened to its jobs is known. */
async function untilZeroAgain(
  cluster: TriedCluster,
  samples: readonly Sample[],
  patience: Patience,
): Promise<void> {
  const least = await readLeast(cluster);
  const isDone = async () => {
    const last = samples.at(-1);
    const hasRun = peakOf(samples, ENGINE) > 0;
    if (hasRun && last !== undefined && isAtRest(last, least)) return true;
    await expectNoTrouble(cluster);
    return undefined;
  };
  const longer = { ...patience, timeoutMs: Math.max(patience.timeoutMs, ZERO_TIMEOUT_MS) };
  const look = cluster.command("describe", "scaledobjects.keda.sh");
  try {
    await until("the fleet to work it off and come to zero", longer, isDone, look);
  } catch (error) {
    if (patience.signal.aborted) throw error;
    patience.say((error as Error).message);
  }
}

async function lastMessages(observer: Observer, jobs: number, signal: AbortSignal) {
  for (
    const startedAtMs = performance.now();
    performance.now() - startedAtMs < LAST_MESSAGES_MS;
  ) {
    if (observer.replies.size >= jobs && observer.events.size >= jobs) return;
    await sleep(KILL_POLL_MS, undefined, { signal });
  }
}

async function evidenceOf(ids: readonly string[], results: Results, observer: Observer) {
  const rows = await results.read(ENGINE);
  const eventIds = rows.flatMap(({ events }) => events);
  const workers = (await loadWorkers()).map(({ definition }) => definition);
  const emitted = Object.keys(
    workers.find(({ name }) => name === ENGINE)?.actions.record?.emits ?? {},
  );
  const consumed = new Map<string, readonly string[]>();
  for (const { name, on = {} } of workers)
    if (emitted.some((type) => type in on)) consumed.set(name, await results.idsOf(name, eventIds));
  return { ids, rows, replies: observer.replies, events: observer.events, consumed };
}
