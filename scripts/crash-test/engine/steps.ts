/** Inside a worker process: does what the crash test armed when a job reaches a step of its life. */
import { appendFileSync } from "node:fs";

/** The steps that the runtime reports, in order of a job's life, and one inside the engine's own transaction. */
export const STEPS = [
  "received",
  "claimed",
  "in-transaction",
  "ran",
  "committing",
  "committed",
  "published",
  "marked-done",
  "acked",
  "tiered",
  "attempt-recorded",
  "dead-lettered",
] as const;
export type Step = (typeof STEPS)[number];

/** "At the `nth` time that any job reaches `step`, send yourself `signal`." */
export interface Order {
  step: Step;
  signal: "SIGKILL" | "SIGSTOP" | "SIGTERM";
  nth: number;
}

let order: Order | undefined;

/** Takes orders from the parent process; without one this does nothing. */
export function takeOrders(): void {
  process.on("message", (message) => {
    if (message && typeof message === "object" && "disarm" in message) order = undefined;
    else order = message as Order;
  });
  // The channel alone must not keep a worker alive that has drained.
  process.channel?.unref();
}

/** Tells that a job has reached a step; may not return. */
export async function reach(step: string, jobId: string | undefined): Promise<void> {
  if (order === undefined || order.step !== step) return;
  order.nth--;
  if (order.nth > 0) return;
  const { signal } = order;
  order = undefined;
  const log = process.env.STEP_LOG;
  if (log) {
    // Written in one go before the signal, since nothing may follow it.
    const entry = { at: Date.now(), pid: process.pid, step, signal, jobId };
    appendFileSync(log, `${JSON.stringify(entry)}\n`);
  }
  process.kill(process.pid, signal);
  // SIGSTOP takes a moment to land; the job must not run on meanwhile.
  if (signal === "SIGSTOP") await new Promise((resolve) => setTimeout(resolve, 20));
}
