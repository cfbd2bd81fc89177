/** The whole fleet on one machine: a ScaledObject's loop and a Deployment for each engine. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startReaper } from "../../../shared/services/reaper.ts";
import { startWorkerProcess, workerArgs } from "../../../shared/services/worker-process.ts";
import type { TriggerReading } from "../autoscaler.ts";
import type { RabbitMqTrigger, ScaledObject } from "../keda/scaled-object.ts";
import { createDeployment } from "./deployment.ts";
import { createScaledEngine, type ScaledEngine } from "./scaled-engine.ts";

export interface FleetOptions {
  scaledObjects: readonly ScaledObject[];
  /** The environment of the workers; a WORKER_ID in it comes before the name of each. */
  env: NodeJS.ProcessEnv;
  /** What those of one engine have beside it, or instead. */
  envOf?: (engine: string) => NodeJS.ProcessEnv;
  /** Where each worker's log goes, one file a pod. It is emptied first. */
  logFolder: string;
  repository: string;
  /** Seconds of KEDA's and the HPA's clocks in one second; a pod's own times stay as they are. */
  timeScale: number;
  /** Seconds from SIGTERM to SIGKILL. */
  graceS(deployment: string): number;
  /** What happened, for people. */
  onEvent(text: string): void;
  /** A worker ended without having been asked to; it is started again. */
  onCrash?(podName: string, how: string): void;
  /** A drain ended otherwise than it should. */
  onBadDrain?(podName: string, how: string): void;
  /** Default: the management API. */
  ask?: (trigger: RabbitMqTrigger) => Promise<TriggerReading>;
}

export interface Fleet {
  readonly engines: readonly ScaledEngine[];
  /** Begins to follow the queues, from 0 replicas. */
  start(): void;
  /** Resolves when no process is left of what scales to zero, which only KEDA's cooldown brings about. */
  atZero(signal: AbortSignal): Promise<void>;
  /** Drains all workers and waits for them. Safe to call twice. */
  stop(): Promise<void>;
  /** Ends all workers at once. */
  kill(): void;
}

const ZERO_POLL_MS = 50;

export function createFleet(options: FleetOptions): Fleet {
  const { logFolder, env, repository } = options;
  // Logs of an earlier run would be taken for those of this one.
  rmSync(logFolder, { recursive: true, force: true });
  mkdirSync(logFolder, { recursive: true });
  // Whatever ends this process must not leave workers behind.
  const reaper = startReaper();
  const stopping = new AbortController();

  const workerId = (name: string) => (env.WORKER_ID ? `${env.WORKER_ID}.${name}` : name);
  const startPod = (engine: string, name: string) =>
    startWorkerProcess({
      args: workerArgs(`workers/${engine}/index.ts`),
      cwd: repository,
      env: { ...env, ...options.envOf?.(engine), HEALTH_PORT: "0", WORKER_ID: workerId(name) },
      output: { file: join(logFolder, `${name}.log`) },
      reaper,
    });

  const engines = options.scaledObjects.map((scaledObject) =>
    createScaledEngine({
      scaledObject,
      deployment: createDeployment({
        name: scaledObject.target,
        start: (name) => startPod(scaledObject.target, name),
        graceMs: options.graceS(scaledObject.target) * 1_000,
        onEvent: options.onEvent,
        onCrash: options.onCrash,
        onBadDrain: options.onBadDrain,
      }),
      timeScale: options.timeScale,
      onEvent: options.onEvent,
      ...(options.ask && { ask: options.ask }),
    }),
  );
  const loops: Promise<void>[] = [];
  const isAtZero = () =>
    engines.every(
      ({ deployment: { pods }, scaledObject: { minReplicaCount } }) =>
        minReplicaCount > 0 || pods.running + pods.draining + pods.crashLooping === 0,
    );

  return {
    engines,
    start() {
      for (const engine of engines) loops.push(engine.run(stopping.signal));
    },
    async atZero(signal) {
      while (!isAtZero()) {
        signal.throwIfAborted();
        await new Promise((resolve) => setTimeout(resolve, ZERO_POLL_MS));
      }
    },
    async stop() {
      stopping.abort();
      await Promise.all(loops);
      await Promise.all(engines.map(({ deployment }) => deployment.stop()));
      await reaper.end();
    },
    kill() {
      stopping.abort();
      for (const { deployment } of engines) deployment.kill();
    },
  };
}
