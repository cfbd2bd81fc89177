/** Turns a delivery into a job, or says what is wrong with it; nothing is taken on trust. */
import type { MessageProperties } from "amqplib";
import type { ZodError } from "zod";
import { type BrokerNames, type ErrorCode, HEADERS, JOB_ID } from "./client/wire.ts";
import type { Delivery } from "./consume.ts";
import type { Action, WorkerDefinition } from "./define-worker.ts";
import { BadJson, digest, readJson } from "./json.ts";

/** What the envelope says, checked; common to good jobs and to those that are refused. */
export interface Envelope {
  delivery: Delivery;
  engine: string;
  /** Undefined where the message has no usable id: such a job can have no row. */
  id: string | undefined;
  /** Message type, or "" where it is unusable. */
  type: string;
  inputHash: string;
  /** Replays, 0 for a job as published. */
  generation: number;
  /** Counted runs, this one included. */
  attempt: number;
  /** Earlier claims that ended neither way, as far as the message knows. */
  crashes: number;
  /** Earlier deliveries of this message that the broker counted, for whatever reason. */
  redeliveries: number;
  /** Epoch ms. */
  deadline: number | undefined;
  /** Checked against the allow list; undefined where no reply is wanted or allowed. */
  replyTo: string | undefined;
  correlationId: string | undefined;
  traceparent: string | undefined;
}

export interface ReceivedJob extends Envelope {
  kind: "job";
  id: string;
  actionName: string;
  action: Action;
  input: unknown;
}

export interface Problem {
  code: ErrorCode;
  message: string;
  details?: { path: string; message: string }[];
}

export interface RefusedJob extends Envelope {
  kind: "refused";
  problem: Problem;
}

export type Received = ReceivedJob | RefusedJob;

/** What one worker accepts; built once. */
export interface Reception {
  definition: WorkerDefinition;
  names: BrokerNames;
  replyToAllowed: RegExp;
  maxAgeMs: number;
}

const DEFAULT_MAX_INPUT_BYTES = 1024 * 1024;
const MAX_DETAILS = 20;
const MAX_COUNT = 1_000;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const JSON_TYPE = /^application\/json(?:\s*;\s*charset=utf-?8)?$/i;
const JOB_TYPE = /^([a-z][a-z0-9-]*)\.([a-z][a-z0-9-]*)\.v([1-9]\d{0,5})$/;

export class Refusal extends Error {
  readonly problem: Problem;
  constructor(code: ErrorCode, message: string, path?: string) {
    super(message);
    this.problem = {
      code,
      message,
      ...(path === undefined ? {} : { details: [{ path, message }] }),
    };
  }
}

/** `*` in the allow list stands for any text. */
export function replyToPattern(allowList: string): RegExp {
  const patterns = allowList
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")
    .map((entry) => entry.split("*").map(RegExp.escape).join(".+"));
  return new RegExp(`^(?:${patterns.join("|")})$`);
}

/** Never throws: what is wrong comes back as a refused job. */
export function receive(delivery: Delivery, reception: Reception, now: number): Received {
  const { message } = delivery;
  const { properties } = message;
  const envelope = emptyEnvelope(delivery, reception.definition.name);
  try {
    readAddress(envelope, properties, reception);
    checkSize(message.content, largest(reception.definition));
    checkContent(properties);
    const { value, canonicalHash } = readJson(message.content);
    // Known before anything else is refused: a finished job that comes again past its deadline must match its row.
    envelope.inputHash = canonicalHash;
    readHeaders(envelope, properties.headers ?? {});
    const target = readTarget(envelope, reception.definition);
    checkSize(message.content, target.action.maxInputBytes ?? DEFAULT_MAX_INPUT_BYTES);
    checkAge(envelope, properties, reception.maxAgeMs, now);
    return readInput(envelope as Envelope & { id: string }, value, target);
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof BadJson)) throw error;
    if (envelope.inputHash === "") envelope.inputHash = digest(message.content);
    return Object.assign(envelope, { kind: "refused" as const, problem: problemOf(error) });
  }
}

/** Where the sender can be told: error replies go only to an address that passed the check. */
export function emptyEnvelope(delivery: Delivery, engine: string): Envelope {
  return {
    delivery,
    engine,
    id: undefined,
    type: "",
    inputHash: "",
    generation: 0,
    attempt: 1,
    crashes: 0,
    redeliveries: 0,
    deadline: undefined,
    replyTo: undefined,
    correlationId: undefined,
    traceparent: undefined,
  };
}

function problemOf(error: Refusal | BadJson): Problem {
  if (error instanceof Refusal) return error.problem;
  return {
    code: "invalid_input",
    message: error.message,
    details: [{ path: error.path, message: error.message }],
  };
}

/** Before the action is known: the most that any action of the worker takes. */
function largest(definition: WorkerDefinition): number {
  const limits = Object.values(definition.actions).map(({ maxInputBytes }) => maxInputBytes ?? 0);
  return Math.max(DEFAULT_MAX_INPUT_BYTES, ...limits);
}

function checkSize({ length }: Buffer, maxBytes: number): void {
  if (length <= maxBytes) return;
  const message = `the body has ${length} bytes; at most ${maxBytes} are accepted: send large data by reference`;
  throw new Refusal("payload_too_large", message, "");
}

/** The id first, so that whatever else is wrong leaves a row; then whom to tell. */
export function readAddress(
  envelope: Envelope,
  properties: MessageProperties,
  reception: Reception,
): void {
  const { messageId, correlationId, replyTo } = properties;
  if (typeof messageId === "string" && JOB_ID.test(messageId)) envelope.id = messageId;
  envelope.correlationId = typeof correlationId === "string" ? correlationId : undefined;
  if (typeof replyTo === "string" && replyTo !== "") {
    if (replyTo.startsWith(`${reception.names.prefix}.`) || !reception.replyToAllowed.test(replyTo))
      throw new Refusal(
        "invalid_input",
        "reply_to names a queue that is not allowed (REPLY_TO_ALLOW)",
        "reply_to",
      );
    envelope.replyTo = replyTo;
  }
  if (envelope.id === undefined)
    throw new Refusal(
      "invalid_input",
      "message_id must be 1 to 128 characters of A-Z a-z 0-9 . _ : - and start with a letter or digit",
      "message_id",
    );
}

export function readHeaders(envelope: Envelope, headers: Record<string, unknown>): void {
  for (const name of Object.keys(headers)) {
    // CC routes into other queues past every check; the others redirect LavinMQ's dead-lettering.
    if (name === "CC" || name === "BCC" || name.startsWith("x-dead-letter-"))
      throw new Refusal(
        "invalid_input",
        `the header ${JSON.stringify(name.slice(0, 60))} is not allowed`,
        "headers",
      );
  }
  envelope.generation = count(headers, HEADERS.replay, 0);
  envelope.attempt = Math.max(1, count(headers, HEADERS.attempt, 1));
  envelope.crashes = count(headers, HEADERS.crashes, 0);
  const redeliveries = headers["x-delivery-count"];
  if (typeof redeliveries === "number" && redeliveries > 0) envelope.redeliveries = redeliveries;
  const deadline = headers[HEADERS.deadline];
  if (deadline !== undefined) {
    if (typeof deadline !== "number" || !Number.isSafeInteger(deadline) || deadline < 0)
      throw new Refusal(
        "invalid_input",
        `${HEADERS.deadline} must be a whole number of epoch milliseconds`,
        `headers.${HEADERS.deadline}`,
      );
    envelope.deadline = deadline;
  }
  const traceparent = headers[HEADERS.traceparent];
  // W3C Trace Context: one that can't be parsed is ignored.
  if (typeof traceparent === "string" && TRACEPARENT.test(traceparent))
    envelope.traceparent = traceparent;
}

function count(headers: Record<string, unknown>, name: string, absent: number): number {
  const value = headers[name];
  if (value === undefined) return absent;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > MAX_COUNT)
    throw new Refusal(
      "invalid_input",
      `${name} must be a whole number from 0 to ${MAX_COUNT}`,
      `headers.${name}`,
    );
  return value;
}

function checkContent({ contentType, contentEncoding }: MessageProperties): void {
  if (typeof contentType !== "string" || !JSON_TYPE.test(contentType))
    throw new Refusal(
      "invalid_input",
      "content_type must be application/json (UTF-8)",
      "content_type",
    );
  // kombu writes the character set here.
  if (contentEncoding && !/^(?:utf-?8|identity)$/i.test(String(contentEncoding)))
    throw new Refusal(
      "invalid_input",
      "content_encoding must be absent: bodies are plain UTF-8",
      "content_encoding",
    );
}

interface Target {
  actionName: string;
  action: Action;
  map: ((event: unknown) => unknown) | undefined;
}

function readTarget(envelope: Envelope, definition: WorkerDefinition): Target {
  const type: unknown = envelope.delivery.message.properties.type;
  if (typeof type !== "string" || type === "")
    throw new Refusal("invalid_input", "type must be <engine>.<action>.v<N>", "type");
  const { on = {}, actions, name } = definition;
  if (Object.hasOwn(on, type)) {
    envelope.type = type;
    // An event has nobody who waits for a reply.
    envelope.replyTo = undefined;
    const subscription = on[type] as NonNullable<(typeof on)[string]>;
    const action = actions[subscription.action] as Action;
    return { actionName: subscription.action, action, map: subscription.map };
  }
  const parts = JOB_TYPE.exec(type);
  if (parts === null || parts[1] !== name)
    throw new Refusal("invalid_input", `type must be ${name}.<action>.v<N>`, "type");
  envelope.type = type;
  const actionName = parts[2] as string;
  const action = Object.hasOwn(actions, actionName) ? actions[actionName] : undefined;
  if (action === undefined)
    throw new Refusal(
      "unknown_action",
      `${name} has the actions ${Object.keys(actions).join(", ")}`,
      "type",
    );
  if (action.version !== Number(parts[3]))
    throw new Refusal("unknown_version", `${name}.${actionName} is at v${action.version}`, "type");
  return { actionName, action, map: undefined };
}

function checkAge(
  envelope: Envelope,
  { timestamp }: MessageProperties,
  maxAgeMs: number,
  now: number,
): void {
  if (envelope.deadline !== undefined && envelope.deadline <= now)
    throw new Refusal("expired", "the deadline passed before the job could run");
  // Results and claims older than this are forgotten: running such a job could double its effect.
  if (
    envelope.generation === 0 &&
    typeof timestamp === "number" &&
    timestamp * 1000 < now - maxAgeMs
  )
    throw new Refusal(
      "expired",
      "the job was published longer ago than results are kept (timestamp)",
      "timestamp",
    );
}

function readInput(envelope: Envelope & { id: string }, value: unknown, target: Target): Received {
  const { actionName, action, map } = target;
  const mapped = map === undefined ? value : mapEvent(map, value);
  const parsed = action.input.safeParse(mapped);
  if (!parsed.success) {
    const problem: Problem = {
      code: "invalid_input",
      message: `the input breaks the schema of ${envelope.engine}.${actionName}`,
      details: detailsOf(parsed.error),
    };
    return Object.assign(envelope, { kind: "refused" as const, problem });
  }
  return Object.assign(envelope, { kind: "job" as const, actionName, action, input: parsed.data });
}

function mapEvent(map: (event: unknown) => unknown, value: unknown): unknown {
  try {
    return map(value);
  } catch (error) {
    throw new Refusal(
      "invalid_input",
      `the event could not be mapped: ${(error as Error).message}`,
      "",
    );
  }
}

export function detailsOf(error: ZodError): { path: string; message: string }[] {
  return error.issues.slice(0, MAX_DETAILS).map((issue) => ({
    path: issue.path.map(String).join(".").slice(0, 200),
    message: issue.message.slice(0, 300),
  }));
}
