/** Runs a handler within its timeout and deadline, and puts what came of it in one form. */

import type { Action } from "../engine/define-worker.ts";
import { Reject, RetryLater } from "../engine/errors.ts";
import type { Reply } from "../wire/reply.ts";
import { Aborted, type JobContext } from "./job-context.ts";
import { detailsOf, type Problem, type ReceivedJob } from "./receive.ts";

export type Ran =
  /** The encoded reply; the transaction, if the handler opened one, is still to commit. */
  | { kind: "output"; reply: string }
  /** Ends the job now. */
  | { kind: "ended"; problem: Problem }
  /** A counted retry. */
  | { kind: "threw"; error: Error }
  /** An uncounted one. */
  | { kind: "later"; delayMs: number }
  /** The worker stops: hand it back, uncounted. */
  | { kind: "interrupted" }
  /** Postgres went away under the handler: run it again here when it is back, uncounted. */
  | { kind: "outage"; error: Error };

const DEFAULT_MAX_OUTPUT_BYTES = 1024 * 1024;
/** Node's timers hold 31 bits. */
const MAX_TIMER_MS = 2_147_483_647;

/** A handler that returns no promise costs neither a timer nor a turn. Never throws or rejects. */
export function runHandler(
  job: ReceivedJob,
  context: JobContext,
  timeoutMs: number,
): Ran | Promise<Ran> {
  try {
    const output = job.action.handle?.(job.input, context);
    if (!(output instanceof Promise)) return encodeOutput(job.action, output);
    return awaitHandler(output, job, context, timeoutMs);
  } catch (error) {
    return readThrown(error, context);
  }
}

async function awaitHandler(
  output: Promise<unknown>,
  job: ReceivedJob,
  context: JobContext,
  timeoutMs: number,
): Promise<Ran> {
  const timer = startTimer(job, context, timeoutMs);
  try {
    return encodeOutput(job.action, await context.untilAborted(output));
  } catch (error) {
    return readThrown(error, context);
  } finally {
    clearTimeout(timer);
  }
}

function readThrown(error: unknown, context: JobContext): Ran {
  return readError(error, context.databaseLost || context.transaction?.lost() === true);
}

export function startTimer(
  job: Pick<ReceivedJob, "deadline">,
  context: Pick<JobContext, "abort">,
  timeoutMs: number,
): NodeJS.Timeout {
  const leftMs = job.deadline === undefined ? Number.POSITIVE_INFINITY : job.deadline - Date.now();
  const reason =
    leftMs < timeoutMs
      ? new Aborted("deadline", "the deadline passed while the job ran")
      : new Aborted("timeout", `the handler took longer than ${timeoutMs} ms`);
  const waitMs = Math.min(Math.max(0, leftMs), timeoutMs, MAX_TIMER_MS);
  return setTimeout(() => context.abort(reason), waitMs);
}

/** The output, checked and encoded: its size is known before anything commits. */
export function encodeOutput(action: Action, output: unknown): Ran {
  const parsed = action.output.safeParse(output);
  if (!parsed.success) {
    const message = "the handler returned what its own output schema refuses: a bug of the engine";
    return ended({ code: "invalid_output", message, details: detailsOf(parsed.error) });
  }
  const reply = JSON.stringify({ status: "succeeded", output: parsed.data } satisfies Reply);
  const max = action.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES;
  // A UTF-16 unit takes at most three bytes: most replies need no exact count.
  if (reply.length * 3 > max && Buffer.byteLength(reply) > max) {
    const message = `the reply has ${Buffer.byteLength(reply)} bytes; at most ${max} are allowed`;
    return ended({ code: "result_too_large", message });
  }
  return { kind: "output", reply };
}

const ended = (problem: Problem): { kind: "ended"; problem: Problem } => ({
  kind: "ended",
  problem,
});

export function readError(
  thrown: unknown,
  databaseLost: boolean,
): Exclude<Ran, { kind: "output" }> {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (error instanceof Aborted) {
    switch (error.why) {
      case "timeout":
        return databaseLost ? { kind: "outage", error } : { kind: "threw", error };
      case "deadline":
        return ended({ code: "expired", message: error.message });
      case "cancelled":
        return ended({ code: "cancelled", message: error.message });
      case "shutdown":
        return { kind: "interrupted" };
    }
  }
  if (error instanceof Reject) {
    const details = error.details === undefined ? {} : { details: error.details };
    return ended({ code: "rejected", message: error.message, ...details });
  }
  if (error instanceof RetryLater) return { kind: "later", delayMs: error.delayMs };
  if (databaseLost) return { kind: "outage", error };
  return { kind: "threw", error };
}
