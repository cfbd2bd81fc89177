/** Says in the log why a job failed: code, message and paths, never its payload. The one place for it. */
import type { Logger } from "pino";
import type { ErrorCode } from "../wire/error-codes.ts";
import { problemOfRow } from "./messages.ts";
import type { Outcome } from "./outcome.ts";
import { redacted } from "./problem.ts";
import type { Envelope, Problem } from "./receive.ts";
import type { Ran } from "./run.ts";
import type { Turn } from "./turn.ts";

/** Which job it is, and whose: what a line on it begins with. */
export const whoseJob = ({ id, type, publisher, appId }: Envelope) => ({
  jobId: id,
  type,
  publisher,
  appId,
});

/** The engine's fault, or a crash's; the others are the sender's, or as somebody wished. */
const BUGS: ReadonlySet<ErrorCode> = new Set([
  "invalid_output",
  "result_too_large",
  "attempts_exhausted",
  "quarantined",
]);

/** For the end of each delivery: nothing is said of one that came back or succeeded, or whose failure was told before. */
export function logFailure(
  log: Logger,
  job: Envelope,
  { turn, ran, outcome }: { turn: Turn; ran: Ran; outcome: Outcome },
): void {
  if (ran.kind === "threw") {
    const fields = { ...whoseJob(job), attempt: job.attempt, err: ran.error };
    if (outcome.kind === "retry") log.warn(fields, "an attempt failed, retrying");
    else log.error(fields, "the last attempt failed");
    return;
  }
  const problem = problemOfOutcome(turn, outcome);
  if (problem === undefined) return;
  const { code, message: reason, details } = redacted(problem);
  const fields = { ...whoseJob(job), attempt: job.attempt, code, reason, details };
  if (BUGS.has(code)) log.error(fields, "a job failed");
  else if (code === "cancelled") log.info(fields, "a job was cancelled");
  else log.warn(fields, "a job was refused");
}

function problemOfOutcome(turn: Turn, outcome: Outcome): Problem | undefined {
  if (outcome.kind === "unrecorded") return outcome.problem;
  const isNews = outcome.kind === "result" && turn.kind !== "ended";
  return isNews && outcome.row.status === "failed" ? problemOfRow(outcome.row) : undefined;
}
