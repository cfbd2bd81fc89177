/** Keeps one worker running from its source: starts it, replaces it on change, ends it. */
import type { Reaper } from "../../../shared/services/reaper.ts";
import {
  type End,
  type KeptWorker,
  keepRunning,
  startWorkerProcess,
  workerArgs,
} from "../../../shared/services/worker-process.ts";

export interface ReloadedWorkerOptions {
  name: string;
  repository: string;
  env: NodeJS.ProcessEnv;
  /** Where the worker's own inspector listens, on this machine alone; undefined for none. */
  inspectorPort?: number | undefined;
  /** Ends the processes if this one dies without a word. */
  reaper: Pick<Reaper, "watch" | "forget">;
  /** Gets every line that the worker writes. */
  onLine(line: string): void;
  /** Called when it takes jobs, with the milliseconds since it was asked to start. */
  onReady(afterMs: number): void;
  /** Called when it ended without having been asked to. */
  onEnd(end: End, retryInMs: number | undefined): void;
}

export interface ReloadedWorker {
  /**
   * Starts the code as it is now; the old process finishes the jobs it has, and takes no more.
   * Resolves with whether the new one came to take jobs.
   */
  reload(): Promise<boolean>;
  /** Drains what runs and waits for it. */
  stop(): Promise<void>;
  /** Ends everything at once; what runs is redelivered when it starts again. */
  kill(): void;
}

const INSPECTOR = new URL("./inspector.ts", import.meta.url).href;
const FIRST_RESTART_DELAY_MS = 500;
const MAX_RESTART_DELAY_MS = 8_000;

export function superviseWorker(options: ReloadedWorkerOptions): ReloadedWorker {
  /** The code as it is now, and older ones that still drain. */
  const running = new Set<KeptWorker>();
  let current: KeptWorker | undefined;
  let stopping = false;

  async function drain(kept: KeptWorker): Promise<void> {
    await kept.stop();
    running.delete(kept);
  }

  return {
    async reload() {
      if (stopping) return false;
      if (current) void drain(current);
      const first = Promise.withResolvers<boolean>();
      current = keep(options, first.resolve);
      running.add(current);
      return first.promise;
    },
    async stop() {
      stopping = true;
      await Promise.all([...running].map(drain));
    },
    kill() {
      stopping = true;
      for (const kept of running) {
        void kept.stop();
        kept.current?.signal("SIGKILL");
      }
    },
  };
}

/** @param onFirst gets whether the first process came to take jobs; later calls mean nothing. */
function keep(options: ReloadedWorkerOptions, onFirst: (ready: boolean) => void): KeptWorker {
  const { name, repository, reaper, onLine, inspectorPort } = options;
  const isInspected = inspectorPort !== undefined;
  const env = isInspected ? { ...options.env, INSPECTOR_PORT: String(inspectorPort) } : options.env;
  /** How often this code took jobs, and ended all the same. */
  let crashes = 0;
  let wasReady = false;
  return keepRunning({
    start: () =>
      startWorkerProcess({
        args: [
          ...(isInspected ? ["--import", INSPECTOR] : []),
          ...workerArgs(`workers/${name}/index.ts`),
        ],
        cwd: repository,
        env,
        output: onLine,
        reaper,
      }),
    onStart(process) {
      process.ready.then(
        (afterMs) => {
          wasReady = true;
          onFirst(true);
          options.onReady(Math.round(afterMs));
        },
        () => onFirst(false),
      );
    },
    // What never got ready would not the next time: it waits for a change.
    restartInMs: () =>
      wasReady
        ? Math.min(FIRST_RESTART_DELAY_MS * 2 ** crashes++, MAX_RESTART_DELAY_MS)
        : undefined,
    onCrash: options.onEnd,
  });
}
