/** Inside a worker process: does what the crash test armed when a job reaches a step of its life. */
import { appendFileSync } from "node:fs";

/**
 * The steps that the runtime reports, in order of a job's life, and one inside the engine's own transaction.
 * At `…-sent` a message has left and is not confirmed: whatever must wait for its confirm must not happen.
 */
export const STEPS = [
  "received",
  "claimed",
  "in-transaction",
  "ran",
  "committing",
  "committed",
  "reply-sent",
  "event-sent",
  "published",
  "marked-done",
  "acked",
  "tier-sent",
  "tiered",
  "attempt-recorded",
  "letter-sent",
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

/** The order that is due at this step, if one is; it is due once. */
function takeOrder(step: Step, jobId: string | undefined): Order | undefined {
  if (order === undefined || order.step !== step) return undefined;
  order.nth--;
  if (order.nth > 0) return undefined;
  const due = order;
  order = undefined;
  const log = process.env.STEP_LOG;
  if (log) {
    // Written in one go before the signal, since nothing may follow it.
    const entry = { at: Date.now(), pid: process.pid, step, signal: due.signal, jobId };
    appendFileSync(log, `${JSON.stringify(entry)}\n`);
  }
  return due;
}

/** Tells that a job has reached a step; may not return. */
export async function reach(step: Step, jobId: string | undefined): Promise<void> {
  const due = takeOrder(step, jobId);
  if (due === undefined) return;
  process.kill(process.pid, due.signal);
  // SIGSTOP takes a moment to land; the job must not run on meanwhile.
  if (due.signal === "SIGSTOP") await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Long enough for what did not wait for the confirm to go out. */
const UNCONFIRMED_MS = 400;

/** Where the process is about to die. */
let dyingAt: Step | undefined;

/**
 * Sends a message, unless its process is to die before the confirm: then this one and all of its kind that follow
 * are lost on their way, and the process lives a little longer, so that a runtime that does not wait betrays itself.
 */
export function sending<Confirm>(
  step: Step,
  jobId: string | undefined,
  send: () => Promise<Confirm>,
): Promise<Confirm> {
  if (dyingAt === step) return new Promise(() => {});
  const due = takeOrder(step, jobId);
  if (due === undefined) return send();
  if (due.signal !== "SIGKILL") {
    const confirmed = send();
    process.kill(process.pid, due.signal);
    return confirmed;
  }
  dyingAt = step;
  setTimeout(() => process.kill(process.pid, "SIGKILL"), UNCONFIRMED_MS);
  return new Promise(() => {});
}
