/** Starts a contestant as a process of its own and ends it again. */
import { readFileSync, rmSync } from "node:fs";
import {
  type WorkerProcess as Process,
  startWorkerProcess,
} from "../../shared/services/worker-process.ts";

const STOP_TIMEOUT_MS = 15_000;

export interface Command {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
  cwd?: string;
}

export interface WorkerProcess {
  readonly pid: number;
  /** Throws, with the end of the log, when the process has ended. */
  assertAlive(): void;
  /** SIGTERM, and SIGKILL when that is not enough. */
  stop(): Promise<void>;
}

/** Runs the command with its output in `<folder>/<name>.log`, as a container's output goes to a log file too. */
export function startProcess(
  { name, command, args, env, cwd }: Command,
  folder: string,
): WorkerProcess {
  const logFile = `${folder}/${name}.log`;
  rmSync(logFile, { force: true });
  const contestant = startWorkerProcess({
    file: command,
    args,
    env: { ...process.env, ...env },
    output: { file: logFile },
    ...(cwd ? { cwd } : {}),
  });
  const { pid } = contestant;
  if (pid === undefined) throw new Error(`${name}: ${command} did not start`);
  running.add(contestant);
  void contestant.ended.then(() => running.delete(contestant));
  return {
    pid,
    assertAlive() {
      if (contestant.running) return;
      throw new Error(`${name} ended too early:\n${readFileSync(logFile, "utf8").slice(-2_000)}`);
    },
    async stop() {
      await contestant.stop(STOP_TIMEOUT_MS);
    },
  };
}

const running = new Set<Process>();

/** For the way out when something failed: no worker outlives the benchmark. */
export function killAllStarted(): void {
  for (const it of running) it.signal("SIGKILL");
}
