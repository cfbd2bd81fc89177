/** The messages that a job's end makes. Nothing is copied from a delivery but what is named here. */
import type { Outgoing } from "../broker/publish-frames.ts";
import { HEADERS } from "../wire/headers.ts";
import type { BrokerNames } from "../wire/names.ts";
import { type JobError, replyId } from "../wire/reply.ts";
import { isShort } from "./envelope.ts";
import type { StoredEvent } from "./job-context.ts";
import { publisherHeader } from "./publisher.ts";
import type { Envelope, Problem } from "./receive.ts";
import type { ResultRow } from "./result-rows.ts";
import type { Tier } from "./retry.ts";

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

/** Leaves room for the suffix within the 255 bytes of a short string; what is longer was never a type of ours. */
const MAX_TYPE_BYTES = 240;

/** Undefined where no reply is wanted, or allowed. */
export function replyMessage(envelope: Envelope, ending: Ending): Outgoing | undefined {
  const { id = "", engine, replyTo, type, correlationId } = envelope;
  if (replyTo === undefined) return undefined;
  const known = type !== "" && Buffer.byteLength(type) <= MAX_TYPE_BYTES ? type : engine;
  return {
    exchange: "",
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
  return events.map(({ id, type, body }) => ({
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

/** The dead letter: the job as it came, with what became of it. */
export function deadLetter(
  envelope: Envelope,
  { code, message }: Pick<Problem, "code" | "message">,
  attempt: number,
  queue: string,
): Outgoing {
  const { tooLargeBytes } = envelope.delivery;
  return {
    ...sameJob(envelope),
    exchange: "",
    routingKey: queue,
    headers: headersOf(envelope, {
      [HEADERS.attempt]: attempt,
      [HEADERS.replay]: envelope.generation,
      [HEADERS.publisher]: publisherHeader(envelope.publisher),
      [HEADERS.errorCode]: code,
      [HEADERS.error]: message.slice(0, 500),
      ...(tooLargeBytes === undefined ? {} : { [HEADERS.droppedBytes]: tooLargeBytes }),
    }),
  };
}

/** The dead letter of a job that the broker refuses to keep whole: its body stays away, and says so. */
export function bodilessDeadLetter(letter: Outgoing): Outgoing {
  const bytes = Buffer.byteLength(letter.body);
  return {
    ...letter,
    body: "",
    correlationId: undefined,
    replyTo: undefined,
    headers: { ...letter.headers, [HEADERS.droppedBytes]: bytes },
  };
}

export const problemOfRow = (row: ResultRow) =>
  (JSON.parse(row.reply) as { error: JobError }).error;

/** What a job takes along when it comes back. */
export interface Comeback {
  attempt: number;
  crashes: number;
  /** Epoch ms before which it must not run. Default: whenever its tier lets it go. */
  notBefore?: number;
}

/** The job once more, on its way over a delay tier. */
export function postponed(
  envelope: Envelope,
  tier: Tier,
  next: Comeback,
  names: BrokerNames,
): Outgoing {
  return {
    ...sameJob(envelope),
    exchange: names.delay(tier.name),
    // Always the engine, also for what came as an event: it must return to this engine alone.
    routingKey: envelope.engine,
    headers: headersOf(envelope, {
      [HEADERS.attempt]: next.attempt,
      [HEADERS.crashes]: next.crashes,
      [HEADERS.replay]: envelope.generation,
      [HEADERS.publisher]: publisherHeader(envelope.publisher),
      ...(envelope.deadline === undefined ? {} : { [HEADERS.deadline]: envelope.deadline }),
      ...(next.notBefore === undefined ? {} : { [HEADERS.notBefore]: next.notBefore }),
    }),
  };
}

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
