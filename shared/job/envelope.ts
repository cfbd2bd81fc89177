/** What a message says about its job beside the body: checked, and put into one form. */
import type { Delivery, MessageProperties } from "../broker/consume.ts";
import type { Action } from "../engine/define-worker.ts";
import { HEADERS, MAX_COUNT } from "../wire/headers.ts";
import { JOB_ID, type Lane, MAX_AHEAD_MS } from "../wire/names.ts";
import { digest } from "./json.ts";
import { type Fault, invalid, type Problem } from "./problem.ts";
import type { Reception } from "./reception.ts";

/** What the envelope says, checked; common to good jobs and to those that are refused. */
export interface Envelope {
  delivery: Delivery;
  engine: string;
  /** Where it comes back to, and what a replay of its dead letter returns to. */
  lane: Lane;
  /** Undefined where the message has no usable id: such a job can have no row. */
  id: string | undefined;
  /** Message type, or "" where it is unusable. */
  type: string;
  inputHash: string;
  /** The broker user that published the job, as the broker checked it; undefined where the message names none. */
  publisher: string | undefined;
  /** The program that published it, as it names itself: for people, nothing is decided by it. */
  appId: string | undefined;
  /** Replays, 0 for a job as published. */
  generation: number;
  /** Counted runs, this one included. */
  attempt: number;
  /** Earlier claims that ended neither way, as far as the message knows. */
  crashes: number;
  /** Earlier deliveries of this message that the broker counted, for whatever reason. */
  redeliveries: number;
  /** I6. The same over all messages that the job has come in: a crash leaves one behind, as other things do. */
  returns: number;
  /** How often the broker's delivery limit took the job before it had run. */
  rescues: number;
  /** Epoch ms. */
  deadline: number | undefined;
  /** Epoch ms before which it must not run, or 0. */
  runAt: number;
  /** Checked against the allow list; undefined where no reply is wanted or allowed. */
  replyTo: string | undefined;
  /** Of a job that the scheduler is to keep: what its caller knows of it. That it is kept is no answer to it. */
  held?: { type: string; runAt: number; counts: string };
  /** Bytes where it is no UTF-8: it is echoed as it came. */
  correlationId: string | Buffer | undefined;
  traceparent: string | undefined;
}

export interface ReceivedJob extends Envelope {
  kind: "job";
  id: string;
  actionName: string;
  action: Action;
  input: unknown;
}

export interface RefusedJob extends Envelope {
  kind: "refused";
  problem: Problem;
}

/** Dead-lettered by the broker without having run: its engine is to have it again. */
export interface UntriedJob extends Envelope {
  kind: "untried";
}

export type Received = ReceivedJob | RefusedJob | UntriedJob;

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
/** What JavaScript's dates hold. */
const MAX_EPOCH_MS = 8_640_000_000_000_000;
/** Epochs from 2001 to 5138 in seconds; in milliseconds they would lie before March 1973. */
const EPOCH_SECONDS = { min: 1_000_000_000, max: 99_999_999_999 };
/** AMQP's short strings hold so much, and what was no UTF-8 takes more room once it was decoded. */
const MAX_SHORT_BYTES = 255;

/** Whether a text can go out again as a property of a message. */
export const isShort = (text: string) =>
  text.length * 3 <= MAX_SHORT_BYTES || Buffer.byteLength(text) <= MAX_SHORT_BYTES;

/** A reply's type has `.result` behind that of its job. */
export const MAX_TYPE_BYTES = MAX_SHORT_BYTES - ".result".length;

/** Postgres takes no NUL in a text, and no type of a job or an event has control characters. */
export const storableType = (type: unknown) => storable(type, MAX_TYPE_BYTES) ?? "";

/** What can't be kept as it is told is no fault of the job, which runs all the same. */
export const storableAppId = (appId: unknown) => storable(appId, MAX_SHORT_BYTES);

function storable(text: unknown, maxBytes: number): string | undefined {
  const isUsable =
    typeof text === "string" &&
    text !== "" &&
    Buffer.byteLength(text) <= maxBytes &&
    text.isWellFormed() &&
    !/\p{Cc}/u.test(text);
  return isUsable ? text : undefined;
}

export function emptyEnvelope(delivery: Delivery, engine: string): Envelope {
  return {
    delivery,
    engine,
    lane: delivery.lane,
    id: undefined,
    type: "",
    inputHash: "",
    publisher: undefined,
    appId: undefined,
    generation: 0,
    attempt: 1,
    crashes: 0,
    redeliveries: 0,
    // All that a broker says that lost its count.
    returns: delivery.message.fields.redelivered ? 1 : 0,
    rescues: 0,
    deadline: undefined,
    runAt: 0,
    replyTo: undefined,
    correlationId: undefined,
    traceparent: undefined,
  };
}

export function refusedJob(envelope: Envelope, problem: Problem): RefusedJob {
  const refused = envelope as RefusedJob;
  refused.kind = "refused";
  refused.problem = problem;
  return refused;
}

/** Of a body that is no JSON we take, or that was never gathered. */
export function rawHash({ message, tooLargeBytes }: Delivery): string {
  return digest(tooLargeBytes === undefined ? message.content : `${tooLargeBytes} bytes`);
}

/** Which job it is. */
export function readId(
  envelope: Envelope,
  { messageId }: MessageProperties,
  faults: Fault[],
): void {
  if (typeof messageId === "string" && JOB_ID.test(messageId)) envelope.id = messageId;
  else
    invalid(
      faults,
      "message_id",
      "message_id must be 1 to 128 characters of A-Z a-z 0-9 . _ : - and start with a letter or digit",
    );
}

/** The address of a consumer of the default exchange alone, RabbitMQ's and LavinMQ's. */
const DIRECT_REPLY_TO = /^amq\.(?:rabbitmq|direct)\.reply-to\b/;

/** Whom to tell: error replies go only to an address that passed the check. */
export function readAddress(
  envelope: Envelope,
  { correlationId, replyTo }: MessageProperties,
  { isReplyToAllowed, replyExchange }: Pick<Reception, "isReplyToAllowed" | "replyExchange">,
  faults: Fault[],
): void {
  if (typeof correlationId === "string" || Buffer.isBuffer(correlationId))
    envelope.correlationId = correlationId;
  if (typeof replyTo !== "string" || replyTo === "") return;
  if (!isShort(replyTo) || !isReplyToAllowed(replyTo, envelope.publisher))
    invalid(faults, "reply_to", "reply_to names a queue that is not allowed (REPLY_TO_ALLOW)");
  else if (replyExchange !== "" && DIRECT_REPLY_TO.test(replyTo))
    // Its reply would be lost at the end.
    invalid(
      faults,
      "reply_to",
      `replies go through the exchange ${replyExchange}, which reaches no direct reply-to: declare a queue, bind it to ${replyExchange} under its own name, and name it in reply_to`,
    );
  else envelope.replyTo = replyTo;
}

export function readHeaders(
  envelope: Envelope,
  headers: Record<string, unknown>,
  faults: Fault[],
): void {
  for (const name of Object.keys(headers)) {
    // CC routes into other queues past every check; the others redirect LavinMQ's dead-lettering.
    if (name === "CC" || name === "BCC" || name.startsWith("x-dead-letter-"))
      invalid(faults, "headers", `the header ${JSON.stringify(name.slice(0, 60))} is not allowed`);
  }
  envelope.generation = count(headers, HEADERS.replay, 0, faults);
  envelope.attempt = Math.max(1, count(headers, HEADERS.attempt, 1, faults));
  envelope.crashes = count(headers, HEADERS.crashes, 0, faults);
  envelope.rescues = count(headers, HEADERS.rescues, 0, faults);
  const redeliveries = headers["x-delivery-count"];
  if (Number.isSafeInteger(redeliveries) && Number(redeliveries) > 0)
    envelope.redeliveries = Number(redeliveries);
  envelope.returns =
    count(headers, HEADERS.returns, 0, faults) + Math.max(envelope.redeliveries, envelope.returns);
  envelope.runAt = readEpochMs(headers, HEADERS.runAt, faults) ?? 0;
  envelope.deadline = readEpochMs(headers, HEADERS.deadline, faults);
  const traceparent = headers[HEADERS.traceparent];
  // W3C Trace Context: one that can't be parsed is ignored.
  if (typeof traceparent === "string" && TRACEPARENT.test(traceparent))
    envelope.traceparent = traceparent;
}

function count(
  headers: Record<string, unknown>,
  name: string,
  absent: number,
  faults: Fault[],
): number {
  const value = headers[name];
  if (value === undefined) return absent;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_COUNT)
    return value;
  invalid(faults, `headers.${name}`, `${name} must be a whole number from 0 to ${MAX_COUNT}`);
  return absent;
}

function readEpochMs(
  headers: Record<string, unknown>,
  name: string,
  faults: Fault[],
): number | undefined {
  const value = headers[name];
  if (value === undefined) return undefined;
  const isEpochMs = typeof value === "number" && Number.isInteger(value) && value >= 0;
  if (!isEpochMs || value > MAX_EPOCH_MS) {
    const message = `${name} must be a whole number of epoch milliseconds`;
    invalid(faults, `headers.${name}`, message);
    return undefined;
  }
  if (value >= EPOCH_SECONDS.min && value <= EPOCH_SECONDS.max) {
    const message = `${name} looks like seconds; it is epoch milliseconds`;
    invalid(faults, `headers.${name}`, message);
    return undefined;
  }
  return value;
}

/** What lies too far ahead would outlive what is remembered of it. */
export function checkRunAt({ runAt }: Envelope, now: number, faults: Fault[]): void {
  if (runAt - now <= MAX_AHEAD_MS) return;
  const days = MAX_AHEAD_MS / 86_400_000;
  const message = `${HEADERS.runAt} lies more than ${days} days ahead: publish the job nearer to its time`;
  invalid(faults, `headers.${HEADERS.runAt}`, message);
}

/** A timestamp in the wrong unit lies so far ahead that a job would never be too old. A replay carries it on. */
export function checkTimestamp(
  { generation }: Envelope,
  { timestamp }: MessageProperties,
  faults: Fault[],
): void {
  if (generation === 0 && typeof timestamp === "number" && timestamp > EPOCH_SECONDS.max)
    invalid(faults, "timestamp", "timestamp looks like milliseconds; it is epoch seconds");
}

/** What Celery's workers expect of a message, and ours do not. */
export function isCelery(headers: Record<string, unknown>): boolean {
  return (
    typeof headers.task === "string" &&
    typeof headers.id === "string" &&
    typeof headers.lang === "string"
  );
}
