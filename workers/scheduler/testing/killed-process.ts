/** A scheduler's process that is killed at random points, and started again at once, until it is told to live. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const shiftedClock = fileURLToPath(new URL("./shifted-clock.ts", import.meta.url));
/** Of those that are killed before they are ready, and of those after. */
const BEFORE_READY_MS = 2_000;
const AFTER_READY_MS = 2_500;
const PART_BEFORE_READY = 0.25;
const READY = '"msg":"ready"';

export interface KilledProcess {
  kills(): number;
  /** Kills no more; the one that runs goes on. */
  live(): void;
  /** What it said on its way out by itself, if it ever did. */
  complaints: string[];
  stop(): Promise<void>;
}

/** @param random gives numbers from 0 to 1. */
export function keepKilling(
  env: Record<string, string | undefined>,
  shiftMs: number,
  random: () => number,
): KilledProcess {
  let kills = 0;
  let isSpared = false;
  let isOver = false;
  let child: ChildProcess;
  let timer: NodeJS.Timeout | undefined;
  const complaints: string[] = [];

  function start(): void {
    const args = ["--import", shiftedClock, "shared/main.ts", "workers/scheduler/index.ts"];
    const isEarly = random() < PART_BEFORE_READY;
    let last = "";
    child = spawn(process.execPath, args, {
      ...{ cwd: root, stdio: ["ignore", "pipe", "pipe"] },
      env: { ...process.env, ...env, CLOCK_SHIFT_MS: String(shiftMs) },
    });
    const killIn = (ms: number) => {
      timer = setTimeout(() => {
        if (isSpared) return;
        kills++;
        own.kill("SIGKILL");
      }, ms);
    };
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (text) => {
        last = String(text).slice(-2_000);
        if (!isEarly && last.includes(READY)) killIn(random() * AFTER_READY_MS);
      });
    child.on("close", (code) => {
      clearTimeout(timer);
      if (code !== null && code !== 0) complaints.push(last);
      // Whom a server was not there for at its start, comes again as a pod does.
      if (!isOver) setTimeout(start, code === null ? 0 : 300);
    });
    const own = child;
    if (isEarly) killIn(random() * BEFORE_READY_MS);
  }
  start();
  return {
    kills: () => kills,
    complaints,
    live() {
      isSpared = true;
    },
    async stop() {
      isOver = true;
      const closed = new Promise((resolve) => child.once("close", resolve));
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      await closed;
    },
  };
}
