/** One server as a child process: started again on the same data, killed, frozen, thawed. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { processIdentity, processTree, signalProcess } from "./process-table.ts";
import type { Reaper } from "./reaper.ts";

export interface NativeCommand {
  /** For messages: "RabbitMQ". */
  name: string;
  file: string;
  args: string[];
  env?: Record<string, string>;
  cwd: string;
  /** Where its output goes. */
  logFile: string;
  /** Runs as this user, where the server refuses to run as root. */
  owner?: { uid: number; gid: number } | undefined;
  /** What ends it for good. SIGKILL unless it would leave something behind. */
  endSignal?: NodeJS.Signals;
}

/** The environment for a server: without settings meant for another one on this machine. */
function cleanEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && !/^(RABBITMQ_|ERL_|PG|REDIS_|NODE_|VITEST|npm_)/.test(entry[0]),
    ),
  );
}

export class NativeProcess {
  readonly command: NativeCommand;
  readonly #reaper: Reaper | undefined;
  #child: ChildProcess | undefined;

  /** Without a reaper the process outlives this one. */
  constructor(command: NativeCommand, reaper?: Reaper) {
    this.command = command;
    this.#reaper = reaper;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined && this.endedWith() === undefined;
  }

  /** How it ended, with the last lines of its log; undefined while it runs. */
  endedWith(): string | undefined {
    const { exitCode, signalCode } = this.#child ?? {};
    if (exitCode == null && signalCode == null) return undefined;
    return `${signalCode ?? `exit status ${exitCode}`}; the end of its log:\n${this.logTail()}`;
  }

  logTail(lines = 15): string {
    return readFileSync(this.command.logFile, "utf8")
      .trimEnd()
      .split("\n")
      .slice(-lines)
      .join("\n");
  }

  spawn(): void {
    if (this.running) throw new Error(`${this.command.name} runs already`);
    const { file, args, env, cwd, logFile, owner, endSignal = "SIGKILL" } = this.command;
    const log = openSync(logFile, "a");
    const child = spawn(file, args, {
      ...owner,
      cwd,
      env: { ...cleanEnvironment(), ...env },
      detached: true, // Its own group: signals reach all of it, and the terminal's don't.
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    child.unref();
    child.once("error", () => {}); // Shows as an early end.
    this.#child = child;
    const { pid } = child;
    if (pid === undefined) throw new Error(`cannot run ${file}`);
    this.#reaper?.watch(pid, endSignal);
    child.once("exit", () => this.#reaper?.forget(pid));
  }

  /** Sends a signal and waits until nothing of it runs. SIGKILL goes to all of it, others to its head. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const { pid } = this;
    if (pid === undefined || !this.running) return;
    const tree = processTree(pid).map((member) => [member, processIdentity(member)] as const);
    for (const [member] of signal === "SIGKILL" ? tree : [[pid]]) signalProcess(member, signal);
    const gone = () =>
      this.endedWith() !== undefined &&
      tree.every(([member, identity]) => processIdentity(member) !== identity || !identity);
    while (!gone()) await delay(10);
  }

  /** Freezes all of it: connections stay open and nobody answers. */
  pause(): void {
    this.#signalTree("SIGSTOP");
  }

  resume(): void {
    this.#signalTree("SIGCONT");
  }

  #signalTree(signal: NodeJS.Signals): void {
    if (this.pid === undefined || !this.running) throw new Error(`${this.command.name} is down`);
    for (const member of processTree(this.pid)) signalProcess(member, signal);
  }
}
