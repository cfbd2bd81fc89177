/** Starts a contestant as a process of its own and ends it again. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";

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
  const log = openSync(logFile, "w");
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", log, log],
    ...(cwd ? { cwd } : {}),
  });
  closeSync(log);
  running.add(child);
  child.once("exit", () => running.delete(child));
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name}: ${command} did not start`);
  return {
    pid,
    assertAlive() {
      if (child.exitCode === null && child.signalCode === null) return;
      throw new Error(`${name} ended too early:\n${readFileSync(logFile, "utf8").slice(-2_000)}`);
    },
    stop: () => stopProcess(child),
  };
}

const running = new Set<ChildProcess>();

/** For the way out when something failed: no worker outlives the benchmark. */
export function killAllStarted(): void {
  for (const child of running) child.kill("SIGKILL");
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const impatient = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(impatient);
}
