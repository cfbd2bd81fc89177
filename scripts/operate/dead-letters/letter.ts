/** A dead letter as it lies in its queue: what it says of its job, and the job as it goes out again. */
import type { Oddity } from "@tl-engine/shared/broker/content-header";
import type { Outgoing } from "@tl-engine/shared/broker/publish-frames";
import { isShort } from "@tl-engine/shared/job/envelope";
import { publisherHeader } from "@tl-engine/shared/job/publisher";
import { HEADERS } from "@tl-engine/shared/wire/headers";
import { type BrokerNames, jobKey, type Lane } from "@tl-engine/shared/wire/names";
import type { Message } from "./walk-queue.ts";

export interface Letter {
  id: string;
  type: string;
  /** The program that published it, as it names itself, or "". */
  appId: string;
  /** The error code that ended the job. */
  code: string;
  message: string;
  /** `path: what is wrong there`, or "". */
  details: string;
  attempt: number;
  /** Replays that ended here, too. */
  generation: number;
  /** When the job was published first; undefined where its publisher did not say. */
  publishedAtMs: number | undefined;
  /** When it ended; undefined for letters of versions that did not say. */
  endedAtMs: number | undefined;
  /** Bytes of the body as it came, where only its head was kept. */
  cutBytes: number | undefined;
  /** Of the whole body; undefined where it is here, or was never held. */
  bodySha256: string | undefined;
}

export function readLetter(message: Message): Letter {
  const { properties } = message;
  const { headers = {}, timestamp } = properties;
  const isUndecodable = (properties as Oddity).undecodable !== undefined;
  return {
    id: text(properties.messageId) ?? "",
    type: text(properties.type) ?? "",
    appId: text(properties.appId) ?? "",
    code: text(headers[HEADERS.errorCode]) ?? "",
    message: isUndecodable ? "its headers can't be decoded" : (text(headers[HEADERS.error]) ?? ""),
    details: text(headers[HEADERS.errorDetails]) ?? "",
    attempt: numberOf(message, HEADERS.attempt),
    generation: numberOf(message, HEADERS.replay),
    publishedAtMs: Number.isSafeInteger(timestamp) ? timestamp * 1_000 : undefined,
    endedAtMs: numberOf(message, HEADERS.endedAt) || undefined,
    cutBytes: numberOf(message, HEADERS.droppedBytes) || undefined,
    bodySha256: text(headers[HEADERS.bodySha256]),
  };
}

/** When the letter came to lie there, as far as it says. */
export const timeOf = ({ endedAtMs, publishedAtMs }: Letter) => endedAtMs ?? publishedAtMs;

/** The job as its next generation. */
export const replayOf = (message: Message, engine: string, names: BrokerNames): Outgoing => ({
  ...sameJob(message),
  exchange: names.jobs,
  routingKey: jobKey(engine, laneOf(message)),
  headers: {
    ...traceOf(message),
    [HEADERS.replay]: numberOf(message, HEADERS.replay) + 1,
    [HEADERS.publisher]: publisherOf(message),
    ...heldOf(message),
    [HEADERS.attempt]: 1,
  },
});

/** The letter itself once more, for its own queue. */
export const copyOf = (message: Message, queue: string): Outgoing => ({
  ...sameJob(message),
  exchange: queue,
  routingKey: queue,
  headers: graveOf(message),
});

function graveOf(message: Message): Record<string, string | number> {
  const { code, message: error, details, endedAtMs, cutBytes, bodySha256 } = readLetter(message);
  return {
    ...traceOf(message),
    [HEADERS.attempt]: numberOf(message, HEADERS.attempt),
    [HEADERS.replay]: numberOf(message, HEADERS.replay),
    [HEADERS.publisher]: publisherOf(message),
    ...heldOf(message),
    ...(laneOf(message) === "bulk" && { [HEADERS.lane]: "bulk" }),
    [HEADERS.errorCode]: code,
    [HEADERS.error]: error,
    ...(details !== "" && { [HEADERS.errorDetails]: details }),
    ...(endedAtMs !== undefined && { [HEADERS.endedAt]: endedAtMs }),
    ...(cutBytes !== undefined && { [HEADERS.droppedBytes]: cutBytes }),
    ...(bodySha256 !== undefined && { [HEADERS.bodySha256]: bodySha256 }),
  };
}

/** The whitelist of what a job keeps, as where it was buried: nothing else is copied. */
export function sameJob({ content, properties }: Message) {
  const { messageId, type, correlationId, replyTo, contentType, timestamp, appId } = properties;
  return {
    body: content,
    messageId: short(messageId),
    type: short(type),
    correlationId: Buffer.isBuffer(correlationId) ? correlationId : short(correlationId),
    replyTo: short(replyTo),
    contentType: short(contentType) ?? "application/octet-stream",
    appId: short(appId) ?? "",
    timestamp: Number.isSafeInteger(timestamp) && timestamp >= 0 ? Number(timestamp) : undefined,
    mandatory: true,
  };
}

const laneOf = ({ properties }: Message): Lane =>
  properties.headers?.[HEADERS.lane] === "bulk" ? "bulk" : "interactive";

/** A job that the scheduler could not keep goes back to it as one that it is to keep. */
function heldOf({ properties }: Message): Record<string, string | number> {
  const held = text(properties.headers?.[HEADERS.held]);
  const runAt: unknown = properties.headers?.[HEADERS.runAt];
  if (held === undefined || typeof runAt !== "number") return {};
  return { [HEADERS.held]: held, [HEADERS.runAt]: runAt };
}

export function traceOf({ properties }: Message): Record<string, string> {
  const traceparent = text(properties.headers?.[HEADERS.traceparent]);
  return traceparent === undefined ? {} : { [HEADERS.traceparent]: traceparent };
}

/** What grew when it was decoded, being no UTF-8, would not fit into a message again. */
function short(value: unknown): string | undefined {
  const found = text(value);
  return found !== undefined && isShort(found) ? found : undefined;
}

/** Letters from before publishers were told say none. */
const publisherOf = ({ properties }: Message) =>
  publisherHeader(text(properties.headers?.[HEADERS.publisher]));

export const text = (value: unknown) =>
  typeof value === "string" && value !== "" ? value : undefined;

export function numberOf({ properties }: Message, header: string): number {
  const value: unknown = properties.headers?.[header];
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
