/** Runs worker processes as the queues need them: from 0, more while there is depth, back to 0. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

/** What the demo needs of whatever scales the workers; a fleet of another kind can take its place. */
export interface Fleet {
  /** Worker processes of an engine that are running. */
  replicas(engine: string): number;
  maxReplicas(engine: string): number;
  /** Begins to follow the queues. */
  start(): void;
  /** Ends all workers by SIGTERM and waits for them. Safe to call twice. Returns which did not end well, and how. */
  stop(): Promise<string[]>;
}

export interface ScaledEngine {
  name: string;
  maxReplicas: number;
  /** One more replica for each so many waiting jobs. */
  jobsPerReplica: number;
}

export interface ScalerOptions {
  engines: ScaledEngine[];
  /** The environment of the workers. */
  env: NodeJS.ProcessEnv;
  /** Where each worker's log goes, one file a process. It is emptied first. */
  logFolder: string;
  repository: string;
  load(engine: string): Promise<Load>;
  /** Called once, when workers keep dying. */
  onFailure(error: Error): void;
}

/** What an engine has to do. */
export interface Load {
  /** Messages in its queue. */
  waiting: number;
  /** Jobs that were delivered to a worker and are not done: they have left the queue. */
  running: number;
}

const POLL_MS = 250;
/** An engine without anything to do for so long goes back to 0. */
const COOLDOWN_MS = 3_000;
/** Past the drain deadline of a worker, which is longer than a job may take. */
const KILL_AFTER_MS = 60_000;
const MAX_CRASHES = 3;

interface Pod {
  engine: string;
  name: string;
  child: ChildProcess;
  logFile: string;
  stopping: boolean;
  exited: Promise<void>;
}

/**
 * How many replicas an engine should have, as KEDA reckons: the waiting jobs over the target, rounded
 * up; none only after a while without anything to do, so that nobody who still works is told to stop.
 */
export function wantedReplicas(engine: ScaledEngine, load: Load, idleMs: number, now: number) {
  if (load.waiting + load.running === 0) return idleMs >= COOLDOWN_MS ? 0 : now;
  // Never fewer while there is work: a pod that is stopped and started again only costs.
  return Math.max(
    now,
    Math.min(engine.maxReplicas, Math.ceil(load.waiting / engine.jobsPerReplica)),
  );
}

export function createScaler(options: ScalerOptions): Fleet {
  const pods = new Set<Pod>();
  const lastBusyAt = new Map<string, number>();
  const started = new Map<string, number>();
  let crashes = 0;
  const unclean: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  // Logs of an earlier run would be taken for those of this one.
  rmSync(options.logFolder, { recursive: true, force: true });
  mkdirSync(options.logFolder, { recursive: true });
  const live = (engine: string) =>
    [...pods].filter((pod) => pod.engine === engine && !pod.stopping);

  const onExit = (pod: Pod, code: number | null, signal: string | null) => {
    pods.delete(pod);
    // One that was told to stop while it still started up has nobody who listens yet.
    if (code === 0 || (pod.stopping && signal === "SIGTERM")) return;
    const how = signal ? `by ${signal}` : `with code ${code}`;
    unclean.push(`${pod.name} ended ${how}, see ${pod.logFile}`);
    if (pod.stopping || stopped || ++crashes !== MAX_CRASHES) return;
    const tail = readFileSync(pod.logFile, "utf8").trimEnd().split("\n").slice(-15).join("\n");
    options.onFailure(
      new Error(
        `${crashes} workers ended by themselves, ${pod.name} ${how}. Its log ends:\n${tail}`,
      ),
    );
  };

  const startPod = (engine: string) => {
    const number = (started.get(engine) ?? 0) + 1;
    started.set(engine, number);
    const name = `${engine}-${number}`;
    const logFile = join(options.logFolder, `${name}.log`);
    const log = openSync(logFile, "w");
    const child = spawn(process.execPath, ["shared/main.ts", `workers/${engine}/index.ts`], {
      cwd: options.repository,
      env: { ...options.env, HEALTH_PORT: "0", WORKER_ID: name },
      stdio: ["ignore", log, log],
      // A group of its own: Ctrl-C on the terminal must reach it through us, once.
      detached: true,
    });
    closeSync(log);
    const exited = Promise.withResolvers<void>();
    const pod: Pod = { engine, name, child, logFile, stopping: false, exited: exited.promise };
    pods.add(pod);
    child.once("exit", (code, signal) => {
      onExit(pod, code, signal);
      exited.resolve();
    });
    child.once("error", (error) => {
      pods.delete(pod);
      options.onFailure(new Error(`could not start ${name}`, { cause: error }));
      exited.resolve();
    });
  };

  const stopPod = async (pod: Pod) => {
    pod.stopping = true;
    pod.child.kill("SIGTERM");
    const kill = setTimeout(() => pod.child.kill("SIGKILL"), KILL_AFTER_MS);
    await pod.exited;
    clearTimeout(kill);
  };

  const follow = async (engine: ScaledEngine) => {
    const load = await options.load(engine.name);
    if (stopped) return;
    const now = Date.now();
    if (load.waiting + load.running > 0) lastBusyAt.set(engine.name, now);
    const running = live(engine.name);
    const idleMs = now - (lastBusyAt.get(engine.name) ?? now);
    const wanted = wantedReplicas(engine, load, idleMs, running.length);
    for (let i = running.length; i < wanted; i++) startPod(engine.name);
    for (const pod of running.slice(wanted)) void stopPod(pod);
  };

  const poll = async () => {
    // A broker that does not answer now is asked again; the workers themselves report what lasts.
    await Promise.allSettled(options.engines.map(follow));
    if (!stopped) timer = setTimeout(() => void poll(), POLL_MS);
  };

  // Whatever ends this process must not leave detached workers behind.
  const killAll = () => {
    for (const { child } of pods) child.kill("SIGKILL");
  };

  return {
    replicas: (engine) => live(engine).length,
    maxReplicas: (engine) => options.engines.find(({ name }) => name === engine)?.maxReplicas ?? 0,
    start() {
      process.once("exit", killAll);
      void poll();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await Promise.all([...pods].map(stopPod));
      process.off("exit", killAll);
      return unclean;
    },
  };
}
