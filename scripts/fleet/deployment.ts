/** A Deployment on one machine: as many worker processes as were asked for, drained, killed and restarted as pods are. */
import type { ChildProcess } from "node:child_process";
import { createBackoff } from "./crash-backoff.ts";

export interface DeploymentOptions {
  name: string;
  /** Starts the process of a pod. */
  spawn(podName: string): ChildProcess;
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
  /** Undefined between a crash and the next start. */
  child?: ChildProcess;
  draining: boolean;
  restart?: NodeJS.Timeout;
  kill?: NodeJS.Timeout;
  backoff: ReturnType<typeof createBackoff>;
}

/** How a process ended. */
interface End {
  how: string;
  /** As it should when it was told to stop. */
  drained: boolean;
}

export function createDeployment(options: DeploymentOptions): Deployment {
  const { name, graceMs, onEvent } = options;
  /** In the order of their creation. */
  const pods = new Set<Pod>();
  const totals = { started: 0, crashed: 0, killed: 0 };
  let replicas = 0;
  let allGone: (() => void) | undefined;

  const remove = (pod: Pod) => {
    clearTimeout(pod.restart);
    clearTimeout(pod.kill);
    pods.delete(pod);
    if (pods.size === 0) allGone?.();
  };

  const start = (pod: Pod) => {
    const startedAtMs = performance.now();
    const child = options.spawn(pod.name);
    pod.child = child;
    onEvent(`${pod.name} starts (pid ${child.pid})`);
    // "exit" does not follow on an "error" at the start; one of them ends the process.
    const ended = once((end: End) => onEnd(pod, end, performance.now() - startedAtMs));
    child.once("exit", (code, signal) =>
      ended({
        how: signal ? `by ${signal}` : `with status ${code}`,
        // One that was told to stop while it still started up has nobody who listens yet.
        drained: code === 0 || signal === "SIGTERM",
      }),
    );
    child.once("error", ({ message }) =>
      ended({ how: `before it started: ${message}`, drained: false }),
    );
  };

  const onEnd = (pod: Pod, { how, drained }: End, livedMs: number) => {
    delete pod.child;
    if (pod.draining) {
      onEvent(`${pod.name} ${drained ? "is drained" : `ended ${how} as it drained`}`);
      if (!drained) options.onBadDrain?.(pod.name, how);
      remove(pod);
      return;
    }
    totals.crashed++;
    options.onCrash?.(pod.name, how);
    const delayMs = pod.backoff.delayMs(livedMs);
    const when = delayMs === 0 ? "at once" : `in ${delayMs / 1_000} s (CrashLoopBackOff)`;
    onEvent(`${pod.name} ended ${how}, starts again ${when}`);
    pod.restart = setTimeout(() => start(pod), delayMs);
  };

  const create = () => {
    const pod: Pod = {
      name: `${name}-${++totals.started}`,
      draining: false,
      backoff: createBackoff(),
    };
    pods.add(pod);
    start(pod);
  };

  const drain = (pod: Pod) => {
    pod.draining = true;
    clearTimeout(pod.restart);
    if (!pod.child) {
      remove(pod);
      return;
    }
    onEvent(`${pod.name} drains`);
    pod.child.kill("SIGTERM");
    pod.kill = setTimeout(() => {
      totals.killed++;
      onEvent(`${pod.name} is killed after ${graceMs / 1_000} s`);
      pod.child?.kill("SIGKILL");
    }, graceMs);
  };

  const live = () => [...pods].filter(({ draining }) => !draining);

  return {
    name,
    totals,
    get replicas() {
      return replicas;
    },
    get pods() {
      const alive = live();
      const crashLooping = alive.filter(({ child }) => child === undefined).length;
      return {
        running: alive.length - crashLooping,
        draining: pods.size - alive.length,
        crashLooping,
      };
    },
    get pids() {
      return live().flatMap(({ child }) => (child?.pid === undefined ? [] : [child.pid]));
    },
    scale(wanted) {
      replicas = wanted;
      const alive = live();
      for (let count = alive.length; count < wanted; count++) create();
      // As a ReplicaSet chooses: first those that do not run, then the youngest.
      const order = [
        ...alive.filter(({ child }) => child === undefined),
        ...alive.filter(({ child }) => child !== undefined).reverse(),
      ];
      for (const pod of order.slice(0, Math.max(0, alive.length - wanted))) drain(pod);
    },
    async stop() {
      const gone = new Promise<void>((resolve) => {
        allGone = resolve;
      });
      this.scale(0);
      if (pods.size > 0) await gone;
    },
    kill() {
      for (const pod of pods) {
        pod.draining = true;
        if (pod.child) pod.child.kill("SIGKILL");
        else remove(pod);
      }
    },
  };
}

function once<Argument>(run: (argument: Argument) => void) {
  let done = false;
  return (argument: Argument) => {
    if (done) return;
    done = true;
    run(argument);
  };
}
