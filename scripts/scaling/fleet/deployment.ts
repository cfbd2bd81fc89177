/** A Deployment on one machine: as many worker processes as were asked for, drained, killed and restarted as pods are. */
import {
  type KeptWorker,
  keepRunning,
  type WorkerProcess,
} from "../../../shared/services/worker-process.ts";
import { createBackoff } from "./crash-backoff.ts";

export interface DeploymentOptions {
  name: string;
  /** Starts the process of a pod. */
  start(podName: string): WorkerProcess;
  /** From SIGTERM to SIGKILL, `terminationGracePeriodSeconds`. */
  graceMs: number;
  /** What happened, for people. */
  onEvent(text: string): void;
  /** A process ended without having been asked to. */
  onCrash?: ((podName: string, how: string) => void) | undefined;
  /** A drain ended otherwise than it should: killed, or with a status of its own. */
  onBadDrain?: ((podName: string, how: string) => void) | undefined;
}

export interface Deployment {
  readonly name: string;
  /** `spec.replicas` */
  readonly replicas: number;
  /** Pods by what they do now. */
  readonly pods: { running: number; draining: number; crashLooping: number };
  /** Pods started, processes that ended by themselves, and pods that had to be killed. */
  readonly totals: { started: number; crashed: number; killed: number };
  /** Process ids of the pods that run. */
  readonly pids: number[];
  scale(replicas: number): void;
  /** Drains all and waits for them. */
  stop(): Promise<void>;
  /** Ends all at once. */
  kill(): void;
}

interface Pod {
  name: string;
  draining: boolean;
  kept: KeptWorker;
}

export function createDeployment(options: DeploymentOptions): Deployment {
  const { name } = options;
  /** In the order of their creation. */
  const pods = new Set<Pod>();
  const totals = { started: 0, crashed: 0, killed: 0 };
  let replicas = 0;
  let allGone: (() => void) | undefined;

  const create = () => {
    const podName = `${name}-${++totals.started}`;
    const kept = keepPod(podName, options, () => totals.crashed++);
    pods.add({ name: podName, draining: false, kept });
  };
  const remove = (pod: Pod) => {
    pods.delete(pod);
    if (pods.size === 0) allGone?.();
  };
  const drain = async (pod: Pod) => {
    pod.draining = true;
    const drained = pod.kept.current && drainPod(pod, options);
    // Without a process, nothing must start any more.
    if (!drained) void pod.kept.stop();
    else if ((await drained).killed) totals.killed++;
    remove(pod);
  };
  const live = () => [...pods].filter(({ draining }) => !draining);
  const scale = (wanted: number) => {
    replicas = wanted;
    const alive = live();
    for (let count = alive.length; count < wanted; count++) create();
    // As a ReplicaSet chooses: first those that do not run, then the youngest.
    const order = [
      ...alive.filter(({ kept }) => kept.current === undefined),
      ...alive.filter(({ kept }) => kept.current !== undefined).reverse(),
    ];
    for (const pod of order.slice(0, Math.max(0, alive.length - wanted))) void drain(pod);
  };

  return {
    name,
    totals,
    get replicas() {
      return replicas;
    },
    get pods() {
      const alive = live();
      const crashLooping = alive.filter(({ kept }) => kept.current === undefined).length;
      const draining = pods.size - alive.length;
      return { running: alive.length - crashLooping, draining, crashLooping };
    },
    get pids() {
      return live().flatMap(({ kept }) => kept.current?.pid ?? []);
    },
    scale,
    async stop() {
      const gone = new Promise<void>((resolve) => {
        allGone = resolve;
      });
      scale(0);
      if (pods.size > 0) await gone;
    },
    kill() {
      scale(0);
      for (const { kept } of pods) kept.current?.signal("SIGKILL");
    },
  };
}

/** Starts its process, and again whenever it ends by itself. */
function keepPod(
  name: string,
  { start, onEvent, onCrash }: DeploymentOptions,
  count: () => void,
): KeptWorker {
  const backoff = createBackoff();
  return keepRunning({
    start: () => start(name),
    onStart: ({ pid }) => onEvent(`${name} starts (pid ${pid})`),
    restartInMs: ({ livedMs }) => backoff.delayMs(livedMs),
    onCrash({ how }, delayMs = 0) {
      count();
      onCrash?.(name, how);
      const when = delayMs === 0 ? "at once" : `in ${delayMs / 1_000} s (CrashLoopBackOff)`;
      onEvent(`${name} ended ${how}, starts again ${when}`);
    },
  });
}

async function drainPod(
  { name, kept }: Pod,
  { graceMs, onEvent, onBadDrain }: DeploymentOptions,
): Promise<{ killed: boolean }> {
  onEvent(`${name} drains`);
  const end = await kept.stop(graceMs);
  if (!end) return { killed: false };
  const { code, signal, how, killed } = end;
  if (killed) onEvent(`${name} is killed after ${graceMs / 1_000} s`);
  // One that was told to stop while it still started up has nobody who listens yet.
  const drained = code === 0 || signal === "SIGTERM";
  onEvent(`${name} ${drained ? "is drained" : `ended ${how} as it drained`}`);
  if (!drained) onBadDrain?.(name, how);
  return { killed };
}
