/** Runs the worker processes, and starts another one whenever one dies. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { join } from "node:path";
import type { Order } from "./engine/steps.ts";
import type { History } from "./history.ts";

const RESTART_DELAY_MS = 150;
/** A kill that takes the job's process down with exit codes of these kinds is an out-of-memory. */
const OOM_SIGNALS = new Set(["SIGABRT", "SIGTRAP", "SIGILL"]);

/** A place for one worker process; the process in it changes. */
export interface Slot {
  readonly name: string;
  /** Undefined while it is being restarted. */
  pid(): number | undefined;
  /** Sends a signal that the crash test answers for: `reason` explains the exit that it may cause. */
  signal(signal: NodeJS.Signals, reason: string): void;
  /** Makes the process signal itself at a step; `reason` explains the exit that it may cause. */
  order(order: Order, reason: string): void;
  disarm(): void;
  /** Says that the next exit is expected. */
  expectExit(reason: string): void;
  /** Resolves at the next exit of the process. */
  nextExit(): Promise<void>;
  /** Environment that the next process in this place gets on top. */
  setExtra(extra: Record<string, string>): void;
}

export interface Supervisor {
  readonly slots: Slot[];
  /** Resolves when every process has said that it is ready. */
  allReady(timeoutMs: number): Promise<void>;
  /** SIGTERM to all; SIGKILL after `graceMs`. Returns those that had to be killed. */
  stop(graceMs: number): Promise<string[]>;
}

export interface SupervisorOptions {
  /** The module that a process runs. */
  entry: string;
  /** One for each place. */
  names: string[];
  /** Environment of the worker in place `index`, from 0. */
  env(index: number): Record<string, string>;
  nodeOptions: string[];
  folder: string;
  history: History;
}

export function superviseWorkers(options: SupervisorOptions): Supervisor {
  const places = options.names.map((name, index) => openPlace(name, options.env(index), options));
  return {
    slots: places.map(({ slot }) => slot),
    async allReady(timeoutMs) {
      await withTimeout(
        Promise.all(places.map((place) => place.ready())),
        timeoutMs,
        () =>
          `not ready after ${timeoutMs} ms: ${places.filter((p) => !p.isReady()).map((p) => p.slot.name)}`,
      );
    },
    async stop(graceMs) {
      const late = await Promise.all(places.map((place) => place.stop(graceMs)));
      return late.filter((name) => name !== undefined);
    },
  };
}

/** Why a worker may exit, as far as it was told to. */
class ExitReason {
  /** Of a signal that was sent: nothing takes it back, though its process may take long to end. */
  #sent: string | undefined;
  #expected: string | undefined;
  #signal: NodeJS.Signals | undefined;
  /** What was taken back, which may be carried out in that very moment. */
  #late: { why: string; signal: NodeJS.Signals } | undefined;

  sent(why: string): void {
    this.#sent = why;
  }

  expect(why: string, signal: NodeJS.Signals): void {
    this.#expected = why;
    this.#signal = signal;
  }

  takeBack(): void {
    if (this.#expected !== undefined && this.#signal !== undefined)
      this.#late = { why: this.#expected, signal: this.#signal };
    this.#expected = undefined;
  }

  /** Forgets it: the next process has done nothing yet. */
  take(code: number | null, signal: NodeJS.Signals | null): string | undefined {
    const late = this.#late;
    const expected = this.#sent ?? this.#expected;
    this.#late = this.#expected = this.#sent = undefined;
    const isLate = late?.signal === (code === 0 ? "SIGTERM" : signal);
    return expected ?? (isLate ? late?.why : undefined);
  }
}

function causeOf(code: number | null, signal: NodeJS.Signals | null, isReady: boolean) {
  if ((signal !== null && OOM_SIGNALS.has(signal)) || code === 134) return "out of memory";
  // A worker that starts while a service is down gives up; whoever runs it tries again.
  return isReady ? undefined : "could not start";
}

function openPlace(
  name: string,
  env: Record<string, string>,
  { entry, nodeOptions, folder, history }: Omit<SupervisorOptions, "env" | "names">,
) {
  const output = openSync(join(folder, `${name}.log`), "a");
  let child: ChildProcess;
  let isReady = false;
  let isStopping = false;
  const reason = new ExitReason();
  let extra: Record<string, string> = {};
  let starts = 0;
  let whenReady = Promise.withResolvers<void>();
  let whenExited = Promise.withResolvers<void>();

  const start = () => {
    starts++;
    child = spawn(process.execPath, [...nodeOptions, entry], {
      env: {
        ...env,
        ...extra,
        WORKER_ID: `${name}.${starts}`,
        STEP_LOG: join(folder, "steps.ndjson"),
        RUN_LOG: join(folder, "runs.ndjson"),
      },
      stdio: ["ignore", output, output, "ipc"],
    });
    child.on("message", () => {
      isReady = true;
      whenReady.resolve();
    });
    child.on("error", () => {});
    child.on("exit", (code, signal) => {
      const why =
        reason.take(code, signal) ?? (isStopping ? "stop" : causeOf(code, signal, isReady));
      history.append({ kind: "exit", worker: `${name}.${starts}`, code, signal, reason: why });
      if (isReady) whenReady = Promise.withResolvers<void>();
      isReady = false;
      const exited = whenExited;
      whenExited = Promise.withResolvers<void>();
      exited.resolve();
      if (!isStopping) setTimeout(() => !isStopping && start(), RESTART_DELAY_MS);
    });
  };
  start();

  const isAlive = () => child.exitCode === null && child.signalCode === null;
  const tell = (message: object) => {
    if (child.connected) child.send(message, () => {});
  };
  const slot: Slot = {
    name,
    pid: () => (isAlive() ? child.pid : undefined),
    signal(signal, why) {
      if (!isAlive()) return;
      if (signal !== "SIGSTOP" && signal !== "SIGCONT") reason.sent(why);
      child.kill(signal);
    },
    order(order, why) {
      if (order.signal !== "SIGSTOP") reason.expect(why, order.signal);
      tell(order);
    },
    disarm() {
      reason.takeBack();
      tell({ disarm: true });
    },
    expectExit(why) {
      reason.sent(why);
    },
    nextExit: () => whenExited.promise,
    setExtra(next) {
      extra = next;
    },
  };
  return {
    slot,
    ready: () => whenReady.promise,
    isReady: () => isReady,
    async stop(graceMs: number): Promise<string | undefined> {
      isStopping = true;
      if (!isAlive()) return undefined;
      const exited = once(child, "exit");
      child.kill("SIGCONT");
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      await exited;
      clearTimeout(timer);
      return child.signalCode === "SIGKILL" ? name : undefined;
    },
  };
}

/** Rejects with the message of `describe` when `promise` takes longer than `timeoutMs`. */
export async function withTimeout<Value>(
  promise: Promise<Value>,
  timeoutMs: number,
  describe: () => string,
): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(describe())), timeoutMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
