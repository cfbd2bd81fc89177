/** A worker's process on this machine: started, known to be ready, ended with grace, and started again where asked. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { forEachLine } from "../process/lines.ts";
import type { Reaper } from "./reaper.ts";

export interface WorkerCommand {
  /** Default: Node. */
  file?: string;
  args: readonly string[];
  /** All of its environment. Default: that of this process. */
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** The terminal, nothing, a file that it appends to, or a function that gets each line. */
  output: "inherit" | "ignore" | { file: string } | ((line: string) => void);
  /** Ends it, at the latest, when this process ends. It runs in a group of its own, which Ctrl-C on the terminal does not reach. */
  reaper?: Pick<Reaper, "watch" | "forget">;
}

/** How a process ended. */
export interface End {
  /** Undefined when a signal ended it, or when it never started. */
  code: number | undefined;
  signal: NodeJS.Signals | undefined;
  /** For people: "with status 1", "by SIGKILL", "before it started: …". */
  how: string;
  /** It outlived the grace that `stop` gave it. */
  killed: boolean;
  livedMs: number;
}

export interface WorkerProcess {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  readonly running: boolean;
  /**
   * Resolves when it says that it takes jobs, with the milliseconds that it took; only known where `output` is a
   * function. Rejects with {@link EndedEarly}.
   */
  readonly ready: Promise<number>;
  readonly ended: Promise<End>;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, once, however often it is called; SIGKILL when it still runs after `graceMs`. Without one it is waited for. */
  stop(graceMs?: number): Promise<End>;
}

/** It ended before it was ready. */
export class EndedEarly extends Error {
  override readonly name = "EndedEarly";
}

/** What a worker logs when it takes jobs. */
const READY = '"msg":"ready"';

/** The command of a worker, from the folder of the repository and the worker's own file. */
export const workerArgs = (file: string) => ["shared/main.ts", file];

export function startWorkerProcess(command: WorkerCommand): WorkerProcess {
  const { file = process.execPath, args, reaper } = command;
  const startedAtMs = performance.now();
  const ready = Promise.withResolvers<number>();
  // Whoever does not ask must not be surprised.
  ready.promise.catch(() => {});
  const ended = Promise.withResolvers<End>();
  let isRunning = true;
  let isStopping = false;
  let killed = false;

  const child = spawnWith(file, args, command);
  const { pid } = child;
  if (pid !== undefined) reaper?.watch(pid, "SIGTERM");
  if (typeof command.output === "function")
    readOutput(child, command.output, () => ready.resolve(performance.now() - startedAtMs));
  const onEnd = (how: string, code: number | null, signal: NodeJS.Signals | null) => {
    if (!isRunning) return;
    isRunning = false;
    if (pid !== undefined) reaper?.forget(pid);
    ready.reject(new EndedEarly(`${args.at(-1)} ended ${how} before it was ready`));
    const livedMs = performance.now() - startedAtMs;
    ended.resolve({
      code: code ?? undefined,
      signal: signal ?? undefined,
      how,
      killed,
      livedMs,
    });
  };
  // One of them ends it: nothing follows on an "error" at the start.
  child.on("error", ({ message }) => {
    if (pid === undefined) onEnd(`before it started: ${message}`, null, null);
  });
  child.on("close", (code, signal) =>
    onEnd(signal ? `by ${signal}` : `with status ${code}`, code, signal),
  );

  const send = (signal: NodeJS.Signals) => {
    if (isRunning) child.kill(signal);
  };
  return {
    pid,
    get running() {
      return isRunning;
    },
    ready: ready.promise,
    ended: ended.promise,
    signal: send,
    async stop(graceMs) {
      // A worker takes a second one for the order to exit at once.
      if (!isStopping) send("SIGTERM");
      isStopping = true;
      if (graceMs === undefined) return ended.promise;
      const impatient = setTimeout(() => {
        killed = isRunning;
        send("SIGKILL");
      }, graceMs);
      return ended.promise.finally(() => clearTimeout(impatient));
    },
  };
}

function spawnWith(
  file: string,
  args: readonly string[],
  { env, cwd, output, reaper }: WorkerCommand,
): ChildProcess {
  const options: SpawnOptions = { env, cwd, detached: reaper !== undefined };
  if (typeof output === "function")
    return spawn(file, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  if (typeof output === "string") return spawn(file, args, { ...options, stdio: output });
  const log = openSync(output.file, "a");
  try {
    return spawn(file, args, { ...options, stdio: ["ignore", log, log] });
  } finally {
    closeSync(log);
  }
}

function readOutput(child: ChildProcess, onLine: (line: string) => void, onReady: () => void) {
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    forEachLine(stream, (line) => {
      onLine(line);
      if (line.includes(READY)) onReady();
    });
  }
}

export interface KeepOptions {
  start(): WorkerProcess;
  /** After an end that nobody asked for: milliseconds until the next start, undefined for none. */
  restartInMs(end: End): number | undefined;
  onStart?(process: WorkerProcess): void;
  /** It ended without having been asked to. */
  onCrash?(end: End, restartInMs: number | undefined): void;
}

/** A place for one process after another. */
export interface KeptWorker {
  /** Undefined between an end and the next start. */
  readonly current: WorkerProcess | undefined;
  readonly starts: number;
  /** Starts nothing more and ends what runs, as {@link WorkerProcess.stop} does; undefined when nothing ran. */
  stop(graceMs?: number): Promise<End | undefined>;
}

/** Starts a process, and another one whenever it ends by itself, as Kubernetes does with a container. */
export function keepRunning(options: KeepOptions): KeptWorker {
  let current: WorkerProcess | undefined;
  let restart: NodeJS.Timeout | undefined;
  let isStopping = false;
  let starts = 0;

  const start = () => {
    starts++;
    const process = options.start();
    current = process;
    options.onStart?.(process);
    void process.ended.then((end) => {
      current = undefined;
      if (isStopping) return;
      const restartInMs = options.restartInMs(end);
      if (restartInMs !== undefined) restart = setTimeout(start, restartInMs);
      options.onCrash?.(end, restartInMs);
    });
  };
  start();

  return {
    get current() {
      return current;
    },
    get starts() {
      return starts;
    },
    async stop(graceMs) {
      isStopping = true;
      clearTimeout(restart);
      return current?.stop(graceMs);
    },
  };
}
