/** Keeps one worker running from its source: starts it, replaces it on change, ends it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Reaper } from "../../shared/services/reaper.ts";

export interface WorkerProcessOptions {
  name: string;
  repository: string;
  env: NodeJS.ProcessEnv;
  /** Ends the processes if this one dies without a word. */
  reaper: Pick<Reaper, "watch" | "forget">;
  /** Gets every line that the worker writes. */
  onLine(line: string): void;
  /** Called when it takes jobs, with the milliseconds since it was asked to start. */
  onReady(afterMs: number): void;
  /** Called when it ended without having been asked to. */
  onEnd(how: string, retryInMs: number | undefined): void;
}

export interface WorkerProcess {
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

const FIRST_RESTART_DELAY_MS = 500;
const MAX_RESTART_DELAY_MS = 8_000;

export function superviseWorker(options: WorkerProcessOptions): WorkerProcess {
  const { name, repository, env, reaper } = options;
  /** The current process and older ones that still drain. */
  const running = new Set<ChildProcess>();
  let current: ChildProcess | undefined;
  let stopping = false;
  let restart: NodeJS.Timeout | undefined;
  /** How often the code as it is now took jobs, and ended all the same. */
  let crashes = 0;
  let wasReady = false;

  function start(onStarted: (ready: boolean) => void = () => {}): void {
    const startedAtMs = performance.now();
    const child = spawn(process.execPath, ["shared/main.ts", `workers/${name}/index.ts`], {
      cwd: repository,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      // Its own group: Ctrl-C in the terminal would reach it, and SIGTERM from here would be its second signal.
      detached: true,
    });
    current = child;
    running.add(child);
    if (child.pid !== undefined) reaper.watch(child.pid, "SIGTERM");
    let isReady = false;
    createInterface({ input: child.stdout }).on("line", (line) => {
      options.onLine(line);
      if (isReady || !line.includes('"msg":"ready"')) return;
      isReady = true;
      wasReady = true;
      onStarted(true);
      options.onReady(Math.round(performance.now() - startedAtMs));
    });
    createInterface({ input: child.stderr }).on("line", options.onLine);
    child.on("error", (error) => options.onLine(error.message));
    child.on("close", (code, signal) => {
      running.delete(child);
      if (child.pid !== undefined) reaper.forget(child.pid);
      onStarted(false);
      if (current !== child || stopping) return;
      current = undefined;
      // What never got ready would not the next time: it waits for a change.
      const retryInMs = wasReady
        ? Math.min(FIRST_RESTART_DELAY_MS * 2 ** crashes++, MAX_RESTART_DELAY_MS)
        : undefined;
      if (retryInMs !== undefined) restart = setTimeout(() => start(), retryInMs);
      options.onEnd(signal ?? `exit status ${code}`, retryInMs);
    });
  }

  return {
    reload() {
      if (stopping) return Promise.resolve(false);
      clearTimeout(restart);
      crashes = 0;
      wasReady = false;
      current?.kill("SIGTERM");
      return new Promise((resolve) => start(resolve));
    },
    async stop() {
      stopping = true;
      clearTimeout(restart);
      current?.kill("SIGTERM");
      await Promise.all([...running].map((child) => once(child, "close")));
    },
    kill() {
      stopping = true;
      for (const child of running) child.kill("SIGKILL");
    },
  };
}
