/** The messages that a job's end makes. Nothing is copied from a delivery but what is named here. */
import { createHash } from "node:crypto";
import type { Outgoing } from "../broker/publish-frames.ts";
import type { TargetJob } from "../engine/define-worker.ts";
import { HEADERS, MAX_COUNT } from "../wire/headers.ts";
import { type BrokerNames, jobKey } from "../wire/names.ts";
import { type JobError, replyId } from "../wire/reply.ts";
import { isShort, MAX_TYPE_BYTES } from "./envelope.ts";
import type { StoredEvent } from "./job-context.ts";
import { publisherHeader } from "./publisher.ts";
import type { Envelope, Problem } from "./receive.ts";
import type { ResultRow } from "./result-rows.ts";

/** I9. How a job ended, as its reply tells it. */
export interface Ending {
  body: string;
  /** `succeeded`, or the error code. */
  how: string;
  generation: number;
  attempt: number;
}

export const endingOf = (row: ResultRow): Ending => ({
  body: row.reply,
  how: row.code ?? "succeeded",
  generation: row.generation,
  attempt: row.attempt,
});

/**
 * Undefined where no reply is wanted, or allowed.
 * @param exchange REPLY_EXCHANGE; "" is the default one.
 */
export function replyMessage(
  envelope: Envelope,
  ending: Ending,
  exchange: string,
): Outgoing | undefined {
  const { id = "", engine, replyTo, type, correlationId } = envelope;
  if (replyTo === undefined) return undefined;
  // That it is kept is no answer; that it can't be, is.
  if (envelope.held !== undefined && ending.how === "succeeded") return undefined;
  const told = envelope.held?.type ?? type;
  const known = told !== "" && Buffer.byteLength(told) <= MAX_TYPE_BYTES ? told : engine;
  return {
    exchange,
    routingKey: replyTo,
    body: ending.body,
    messageId: replyId(engine, id, ending.generation, ending.how),
    type: `${known}.${ending.how === "succeeded" ? "result" : "error"}`,
    correlationId: correlationId ?? id,
    mandatory: true,
    headers: headersOf(envelope, { [HEADERS.attempt]: ending.attempt }),
  };
}

export function eventMessages(envelope: Envelope, row: ResultRow, names: BrokerNames): Outgoing[] {
  if (row.events === null) return [];
  const events = JSON.parse(row.events) as StoredEvent[];
  return events.filter(isEvent).map(({ id, type, body }) => ({
    exchange: names.events,
    routingKey: type,
    body,
    messageId: id,
    type,
    correlationId: envelope.correlationId ?? row.jobId,
    // An event that nobody subscribes to is no failure.
    mandatory: false,
    headers: headersOf(envelope, {}),
  }));
}

const isEvent = ({ runAt }: StoredEvent) => runAt === undefined;

/** The jobs of its own that an engine wants to run later, on their way to the scheduler. */
export function laterMessages(envelope: Envelope, row: ResultRow, names: BrokerNames): Outgoing[] {
  if (row.events === null) return [];
  const events = JSON.parse(row.events) as StoredEvent[];
  return events.flatMap(({ id, type, body, runAt }) =>
    runAt === undefined
      ? []
      : {
          exchange: names.later,
          routingKey: envelope.engine,
          body,
          messageId: id,
          type,
          correlationId: envelope.correlationId ?? row.jobId,
          mandatory: true,
          headers: headersOf(envelope, { [HEADERS.runAt]: runAt }),
        },
  );
}

/** A job whose time has come, on its way to its engine. */
export function dueMessage(job: TargetJob, names: BrokerNames): Outgoing {
  const { generation = 0, attempt = 1, crashes = 0, returns = 0, deadlineMs, traceparent } = job;
  return {
    exchange: names.jobs,
    routingKey: jobKey(job.engine, job.lane),
    body: job.body,
    messageId: job.id,
    type: job.type,
    correlationId: job.correlationId,
    replyTo: job.replyTo,
    appId: job.appId ?? "",
    mandatory: true,
    headers: {
      [HEADERS.publisher]: publisherHeader(job.publisher),
      ...(generation > 0 && { [HEADERS.replay]: generation }),
      ...(attempt > 1 && { [HEADERS.attempt]: attempt }),
      ...(crashes > 0 && { [HEADERS.crashes]: crashes }),
      ...(returns > 0 && { [HEADERS.returns]: returns }),
      ...(deadlineMs !== undefined && { [HEADERS.deadline]: deadlineMs }),
      ...(traceparent !== undefined && { [HEADERS.traceparent]: traceparent }),
      ...(job.cancelled && { [HEADERS.cancelled]: 1 }),
    },
  };
}

/** Where a dead letter goes, and how much of it is kept. */
export interface Grave {
  /** Exchange and queue. */
  name: string;
  /** A larger body was refused for its size, so that no replay could run it: its head is kept. */
  maxBodyBytes: number;
}

const MAX_REASON = 500;

/** The paths of what is wrong, each with what the message does not say by itself. */
function placesOf({ message, details = [] }: Problem): string {
  const places = details.map(({ path, message: why }) => {
    if (message.includes(why)) return path;
    return path === "" ? why : `${path}: ${why}`;
  });
  return places
    .filter((place) => place !== "")
    .join("; ")
    .slice(0, MAX_REASON);
}

/** Enough to see whose job it was. */
const HEAD_BYTES = 4 * 1024;

/** The dead letter: the job as it came, with what became of it. */
export function deadLetter(
  envelope: Envelope,
  problem: Problem,
  attempt: number,
  { name, maxBodyBytes }: Grave,
): Outgoing {
  const details = placesOf(problem);
  const { tooLargeBytes } = envelope.delivery;
  const letter: Outgoing = {
    ...sameJob(envelope),
    exchange: name,
    routingKey: name,
    headers: headersOf(envelope, {
      [HEADERS.attempt]: attempt,
      [HEADERS.replay]: envelope.generation,
      [HEADERS.publisher]: publisherHeader(envelope.publisher),
      ...heldHeaders(envelope),
      [HEADERS.errorCode]: problem.code,
      [HEADERS.error]: problem.message.slice(0, MAX_REASON),
      ...(details !== "" && { [HEADERS.errorDetails]: details }),
      [HEADERS.endedAt]: Date.now(),
      ...(envelope.lane === "bulk" && { [HEADERS.lane]: envelope.lane }),
      ...(tooLargeBytes === undefined ? {} : { [HEADERS.droppedBytes]: tooLargeBytes }),
    }),
  };
  return Buffer.byteLength(letter.body) > maxBodyBytes ? cutDeadLetter(letter) : letter;
}

/** The same letter with the head of its body alone, which says so. */
function cutDeadLetter(letter: Outgoing): Outgoing {
  if (letter.headers?.[HEADERS.droppedBytes] !== undefined) return letter;
  const body = Buffer.from(letter.body);
  const headers = {
    ...letter.headers,
    [HEADERS.droppedBytes]: body.length,
    [HEADERS.bodySha256]: createHash("sha256").update(body).digest("hex"),
  };
  return { ...letter, body: body.subarray(0, HEAD_BYTES), headers };
}

/** The dead letter of a job that the broker refuses to keep whole. */
export function smallestDeadLetter(letter: Outgoing): Outgoing {
  return { ...cutDeadLetter(letter), correlationId: undefined, replyTo: undefined };
}

export const problemOfRow = (row: ResultRow) =>
  (JSON.parse(row.reply) as { error: JobError }).error;

/** What a job takes along when it comes back. */
export interface Comeback {
  attempt: number;
  crashes: number;
  /** Epoch ms before which it must not run. Default: whenever its tier lets it go. */
  runAt?: number;
}

/**
 * The job once more, on its way over a delay tier, or to the scheduler.
 * @param exchange that of the tier, or of jobs for later.
 */
export function postponed(envelope: Envelope, exchange: string, next: Comeback): Outgoing {
  return {
    ...sameJob(envelope),
    exchange,
    // Always the engine's own, also for what came as an event: it must return to this engine alone, in its lane.
    routingKey: jobKey(envelope.engine, envelope.lane),
    headers: headersOf(envelope, {
      [HEADERS.attempt]: next.attempt,
      [HEADERS.crashes]: next.crashes,
      // I6. What its next message did not go through itself.
      ...(envelope.returns > 0 && { [HEADERS.returns]: Math.min(envelope.returns, MAX_COUNT) }),
      [HEADERS.replay]: envelope.generation,
      ...(envelope.rescues > 0 && { [HEADERS.rescues]: envelope.rescues }),
      [HEADERS.publisher]: publisherHeader(envelope.publisher),
      ...(envelope.deadline === undefined ? {} : { [HEADERS.deadline]: envelope.deadline }),
      ...(next.runAt === undefined ? {} : { [HEADERS.runAt]: next.runAt }),
      ...heldHeaders(envelope),
    }),
  };
}

/** What the scheduler is to keep comes back to it as that. */
const heldHeaders = ({ held }: Envelope): Record<string, string | number> =>
  held === undefined ? {} : { [HEADERS.runAt]: held.runAt, [HEADERS.held]: held.counts };

/** I8. The whitelist of what a job keeps on its way to a tier or to the dead letters. */
function sameJob(envelope: Envelope) {
  const { content, properties } = envelope.delivery.message;
  return {
    body: content,
    messageId: text(properties.messageId),
    type: text(properties.type),
    correlationId: envelope.correlationId,
    replyTo: envelope.replyTo,
    contentType: text(properties.contentType) ?? "application/octet-stream",
    appId: envelope.appId ?? "",
    timestamp: validTimestamp(properties.timestamp),
    mandatory: true,
  };
}

/** What grew when it was decoded, being no UTF-8, would not fit into a message again. */
const text = (value: unknown) => (typeof value === "string" && isShort(value) ? value : undefined);

function validTimestamp(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function headersOf(envelope: Envelope, headers: Record<string, string | number>) {
  if (envelope.traceparent !== undefined) headers[HEADERS.traceparent] = envelope.traceparent;
  return headers;
}
