/** How a delivery ends: pure, so that every combination can be tested without a service. */
import { redactUrls } from "../process/redact.ts";
import type { ErrorCode } from "../wire/error-codes.ts";
import type { AttemptFailure, JobError, Reply } from "../wire/reply.ts";
import type { Stored } from "./commit.ts";
import { Aborted } from "./job-context.ts";
import { redacted } from "./problem.ts";
import type { Envelope, Problem, Received } from "./receive.ts";
import type { ResultRow } from "./result-rows.ts";
import type { Ran } from "./run.ts";
import { codeOf } from "./thrown.ts";
import type { Turn } from "./turn.ts";

export type Outcome =
  /** The job has its row: tell everybody. */
  | { kind: "result"; row: ResultRow }
  /** It had been told to everybody before; only this caller wants to hear it again. */
  | { kind: "repeat"; row: ResultRow }
  /** Failed in a way that leaves no row: no usable id, or the id belongs to another input. */
  | { kind: "unrecorded"; problem: Problem }
  /** Comes back over a delay tier; `attempt` is the next counted run, `failure` says why the last one was none. */
  | { kind: "retry"; attempt: number; crashes: number; failure: AttemptFailure }
  /**
   * Comes back over a delay tier, uncounted; `mayBeEarly` where an early look costs nothing. With `runAt`, epoch ms,
   * it waits with the scheduler, as does what outlasts the longest tier.
   */
  | {
      kind: "wait";
      delayMs: number;
      mayBeEarly: boolean;
      attempt: number;
      crashes: number;
      runAt?: number;
    }
  /** Back to the queue, unrun or interrupted. */
  | { kind: "hand-back" };

/** What became of a job, once nothing more is to be stored. `stored` is undefined where nothing was. */
export function outcomeOf(
  received: Received,
  turn: Turn,
  ran: Ran,
  stored: Stored | undefined,
): Outcome {
  if (stored !== undefined) return told(received, stored, "result");
  switch (turn.kind) {
    case "draining":
      return { kind: "hand-back" };
    case "refused":
      return { kind: "unrecorded", problem: turn.problem };
    case "ended":
      return told(received, { kind: "before", row: turn.row }, turn.tell);
    case "wait": {
      const { delayMs, mayBeEarly, attempt, runAt } = turn;
      const wait = { delayMs, mayBeEarly, attempt, crashes: received.crashes };
      return { kind: "wait", ...wait, ...(runAt !== undefined && { runAt }) };
    }
    case "cancelled":
    case "quarantined":
    case "run":
      return outcomeOfRun(received, turn.crashes, ran);
  }
}

function outcomeOfRun({ attempt }: Envelope, crashes: number, ran: Ran): Outcome {
  switch (ran.kind) {
    case "threw":
      return {
        kind: "retry",
        attempt: attempt + 1,
        crashes,
        failure: { ...failureOf(ran.error), attempt },
      };
    case "later":
      return { kind: "wait", delayMs: ran.delayMs, mayBeEarly: false, attempt, crashes };
    case "interrupted":
      return { kind: "hand-back" };
    // I2. Each of these has its row by now.
    case "unrun":
    case "output":
    case "stored":
    case "ended":
      throw new Error(`a job that ${ran.kind} must have been stored before it is told`);
  }
}

const MAX_FAILURE_CODE = 64;
const MAX_FAILURE_MESSAGE = 300;

/** What is told of an error while its job may still succeed: bounded, since it stands in the job's claim. */
function failureOf(error: Error): { code: string; message: string } {
  const code = error instanceof Aborted ? error.why : codeOf(error);
  return {
    code: code.slice(0, MAX_FAILURE_CODE),
    message: redactUrls(error.message).slice(0, MAX_FAILURE_MESSAGE),
  };
}

/** A row that was there before is the same job again, or another one under its id. */
function told(
  { inputHash, publisher }: Envelope,
  stored: Stored,
  kind: "result" | "repeat",
): Extract<Outcome, { kind: "result" | "repeat" | "unrecorded" }> {
  if (stored.kind === "unstorable") throw stored.error;
  const { row } = stored;
  const isOwn = row.publisher === (publisher ?? null);
  if (stored.kind === "first" || (isOwn && row.inputHash === inputHash)) return { kind, row };
  const message = isOwn
    ? "this job id was used before with another input; use a new id"
    : "this job id was used before by another publisher; use a new id";
  return { kind: "unrecorded", problem: { code: "idempotency_conflict", message } };
}

/** The row that a job is to leave now; undefined where it leaves none yet, or ever. */
export function rowOf(
  received: Received,
  turn: Turn,
  ran: Ran,
  maxAttempts: number,
): ResultRow | undefined {
  if (ran.kind === "output") return ran.row;
  const problem = finalProblem(received, turn, ran, maxAttempts);
  if (problem === undefined) return undefined;
  const { id } = received;
  return id === undefined ? undefined : failedRow({ ...received, id }, turn, problem);
}

/** Why the job has failed for good; undefined where it has not. */
function finalProblem(
  { attempt }: Envelope,
  turn: Turn,
  ran: Ran,
  maxAttempts: number,
): Problem | undefined {
  switch (turn.kind) {
    case "refused":
      return turn.problem;
    case "cancelled":
      return { code: "cancelled", message: "cancelled by the caller before it ran" };
    case "quarantined":
      return { code: "quarantined", message: "the job crashed its worker repeatedly" };
    case "draining":
    case "ended":
    case "wait":
      return undefined;
    case "run":
      if (ran.kind === "ended") return ran.problem;
      if (ran.kind !== "threw" || attempt < maxAttempts) return undefined;
      return { code: "attempts_exhausted", message: ran.error.message.slice(0, 1_000) };
  }
}

/** Whether a row ends this job: a replay runs again over the failure that it replays. */
export const isEndOf = (row: ResultRow, { generation }: Pick<Envelope, "generation">) =>
  row.status === "succeeded" || row.generation >= generation;

export function failedRow(
  job: Envelope & { id: string },
  turn: Pick<Turn, "kind" | "startedAtMs">,
  told: Problem,
): ResultRow {
  const problem = redacted(told);
  const hasRun = turn.kind === "run" || turn.kind === "cancelled";
  const attempt = hasRun ? job.attempt : 0;
  return {
    engine: job.engine,
    jobId: job.id,
    generation: job.generation,
    status: "failed",
    code: problem.code,
    attempt,
    type: job.type,
    inputHash: job.inputHash,
    publisher: job.publisher ?? null,
    appId: job.appId ?? null,
    reply: failure(problem, attempt),
    events: null,
    startedAtMs: turn.startedAtMs,
  };
}

/** The reply of a job that ended without success. */
export function failure(problem: Problem, attempt: number): string {
  const error: JobError = { ...problem, retriable: RETRIABLE.has(problem.code), attempt };
  return JSON.stringify({ status: "failed", error } satisfies Reply);
}

/** Failures that say nothing about the input: the same job under a new id could succeed. */
const RETRIABLE: ReadonlySet<ErrorCode> = new Set([
  "attempts_exhausted",
  "quarantined",
  "expired",
  "cancelled",
]);
