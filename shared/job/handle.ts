/** Runs a handler within its timeout and deadline, and puts what came of it in one form. */
import type { Action } from "../engine/define-worker.ts";
import { Reject, RetryLater } from "../engine/errors.ts";
import type { Reply } from "../wire/reply.ts";
import { type HandlerClock, MAX_TIMER_MS } from "./handler-clock.ts";
import { Aborted, type JobContext } from "./job-context.ts";
import { boundDetail, MAX_DETAILS, type Problem } from "./problem.ts";
import type { ReceivedJob } from "./receive.ts";
import { parseWith } from "./schema.ts";
import { asError, isThenable } from "./thrown.ts";

/** How a run ends that leaves nothing to commit. */
export type Unfinished =
  /** Ends the job now. */
  | { kind: "ended"; problem: Problem }
  /** A counted retry: the one thing that is an attempt (I4). */
  | { kind: "threw"; error: Error }
  /** An uncounted one. */
  | { kind: "later"; delayMs: number }
  /** The worker stops: hand it back, uncounted. */
  | { kind: "interrupted" };

/** Postgres went away under the handler: run it again here when it is back, uncounted. */
export interface Outage {
  kind: "outage";
  error: Error;
  /** It was a statement of ours that failed, not one of the handler's. */
  isOurs?: boolean;
}

export type Handled =
  /** The encoded reply; the transaction, if the handler opened one, is still to commit. */
  { kind: "output"; reply: string } | Unfinished | Outage;

const DEFAULT_MAX_OUTPUT_BYTES = 1024 * 1024;

/** A handler that returns no promise costs neither a timer nor a turn. Never throws or rejects. */
export function handle(
  job: ReceivedJob,
  context: JobContext,
  timeoutMs: number,
): Handled | Promise<Handled> {
  try {
    context.bindInput(job.input);
    const output: unknown = job.action.handle?.(job.input, context);
    if (!isThenable(output)) return encodeOutput(job.action, output);
    return awaitHandler(output, job, context, timeoutMs);
  } catch (error) {
    return readThrown(error, context);
  }
}

async function awaitHandler(
  output: PromiseLike<unknown>,
  job: ReceivedJob,
  context: JobContext,
  timeoutMs: number,
): Promise<Handled> {
  const clock = startClock(context, timeoutMs);
  const deadline = startDeadline(job, context);
  try {
    return encodeOutput(job.action, await context.untilAborted(output));
  } catch (error) {
    return readThrown(error, context);
  } finally {
    clock.stop();
    clearTimeout(deadline);
  }
}

/** The handler ran up to its first await already, and may be waiting for a connection by now. */
function startClock(context: JobContext, timeoutMs: number): HandlerClock {
  const tooLong = new Aborted("timeout", `the handler took longer than ${timeoutMs} ms`);
  return context.startClock(timeoutMs, () => context.abort(tooLong));
}

function startDeadline({ deadline }: ReceivedJob, context: JobContext): NodeJS.Timeout | undefined {
  if (deadline === undefined) return undefined;
  const reason = new Aborted("deadline", "the deadline passed while the job ran");
  const leftMs = Math.max(0, deadline - Date.now());
  return setTimeout(() => context.abort(reason), Math.min(leftMs, MAX_TIMER_MS));
}

function readThrown(error: unknown, context: JobContext): Unfinished | Outage {
  return readError(error, context.databaseLost || context.transaction?.lost() === true);
}

/** The output, checked and encoded: its size is known before anything commits. Never throws. */
export function encodeOutput(action: Action, output: unknown): Handled {
  const parsed = parseWith(action.output, output, "what the handler returned");
  if (!parsed.ok) {
    const message = `${parsed.problem.message}: a bug of the engine`;
    return ended({ ...parsed.problem, code: "invalid_output", message });
  }
  try {
    const reply = JSON.stringify({ status: "succeeded", output: parsed.data } satisfies Reply);
    return checkSize(action, reply);
  } catch (error) {
    if (error instanceof RangeError) return tooLarge("the reply is longer than a text can be");
    // A BigInt, a cycle, a toJSON that throws.
    const message = `the output can't be encoded as JSON: ${asError(error).message}`;
    return ended({ code: "invalid_output", message });
  }
}

function checkSize(action: Action, reply: string): Handled {
  const max = action.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES;
  // A UTF-16 unit takes at most three bytes: most replies need no exact count.
  if (reply.length * 3 > max && Buffer.byteLength(reply) > max)
    return tooLarge(`the reply has ${Buffer.byteLength(reply)} bytes; at most ${max} are allowed`);
  return { kind: "output", reply };
}

const ended = (problem: Problem): Unfinished => ({ kind: "ended", problem });
const tooLarge = (message: string) => ended({ code: "result_too_large", message });

/** I4. What an error of a handler, of a batch or of a commit means for the job. Never throws. */
export function readError(thrown: unknown, databaseLost: boolean): Unfinished | Outage {
  const error = asError(thrown);
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
  if (error instanceof Reject) return ended(rejection(error));
  if (error instanceof RetryLater && error.delayMs >= 0 && Number.isFinite(error.delayMs))
    return { kind: "later", delayMs: error.delayMs };
  if (databaseLost) return { kind: "outage", error };
  return { kind: "threw", error };
}

/** The handler's own words, as far as they are ones. */
function rejection(error: Reject): Problem {
  const problem: Problem = { code: "rejected", message: error.message };
  if (!Array.isArray(error.details)) return problem;
  const details = error.details
    .filter((detail) => typeof detail?.path === "string" && typeof detail.message === "string")
    .slice(0, MAX_DETAILS)
    .map(boundDetail);
  return { ...problem, details };
}
