/** Turns a delivery into a job, or says what is wrong with it; nothing is taken on trust. */
import type { ZodError } from "zod";
import type { Delivery, MessageProperties } from "../broker/consume.ts";
import type { Action, WorkerDefinition } from "../engine/define-worker.ts";
import type { ErrorCode } from "../wire/error-codes.ts";
import { HEADERS } from "../wire/headers.ts";
import { type BrokerNames, JOB_ID, jobType } from "../wire/names.ts";
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

/** What one worker accepts; built once by {@link createReception}. */
export interface Reception {
  definition: WorkerDefinition;
  names: BrokerNames;
  /** By message type: every job and every event that the worker takes. */
  targets: ReadonlyMap<string, Target>;
  /** The most that any action of the worker takes. */
  maxInputBytes: number;
  isReplyToAllowed(replyTo: string): boolean;
  maxAgeMs: number;
}

interface Target {
  actionName: string;
  action: Action;
  /** Makes the input of an event; jobs have none. */
  map: ((event: unknown) => unknown) | undefined;
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

export interface ReceptionOptions {
  definition: WorkerDefinition;
  names: BrokerNames;
  /** REPLY_TO_ALLOW: `*` stands for any text. */
  replyToAllow: string;
  maxAgeMs: number;
}

export function createReception(options: ReceptionOptions): Reception {
  const { definition, names, replyToAllow, maxAgeMs } = options;
  const { name, actions, on = {} } = definition;
  const targets = new Map<string, Target>();
  for (const [actionName, action] of Object.entries(actions))
    targets.set(jobType(name, actionName, action.version), { actionName, action, map: undefined });
  for (const [type, { action: actionName, map }] of Object.entries(on))
    targets.set(type, { actionName, action: actions[actionName] as Action, map });
  const limits = Object.values(actions).map(({ maxInputBytes }) => maxInputBytes ?? 0);
  return {
    definition,
    names,
    targets,
    maxInputBytes: Math.max(DEFAULT_MAX_INPUT_BYTES, ...limits),
    isReplyToAllowed: replyToCheck(names, replyToAllow),
    maxAgeMs,
  };
}

function replyToCheck(names: BrokerNames, allowList: string): (replyTo: string) => boolean {
  const patterns = allowList
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")
    .map((entry) => entry.split("*").map(RegExp.escape).join(".+"));
  const allowed = new RegExp(`^(?:${patterns.join("|")})$`);
  // A caller sends many jobs with one reply-to.
  let lastAllowed: string | undefined;
  return (replyTo) => {
    if (replyTo === lastAllowed) return true;
    if (replyTo.startsWith(`${names.prefix}.`) || !allowed.test(replyTo)) return false;
    lastAllowed = replyTo;
    return true;
  };
}

/** Never throws: what is wrong comes back as a refused job. */
export function receive(delivery: Delivery, reception: Reception, now: number): Received {
  const { message } = delivery;
  const { properties } = message;
  const envelope = emptyEnvelope(delivery, reception.definition.name);
  try {
    readAddress(envelope, properties, reception);
    checkSize(message.content, reception.maxInputBytes);
    checkContent(properties);
    const { value, canonicalHash } = readJson(message.content);
    // Known before anything else is refused: a finished job that comes again past its deadline must match its row.
    envelope.inputHash = canonicalHash;
    if (properties.headers !== undefined) readHeaders(envelope, properties.headers);
    const target = readTarget(envelope, reception);
    checkSize(message.content, target.action.maxInputBytes ?? DEFAULT_MAX_INPUT_BYTES);
    checkAge(envelope, properties, reception.maxAgeMs, now);
    return readInput(envelope, value, target);
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof BadJson)) throw error;
    if (envelope.inputHash === "") envelope.inputHash = digest(message.content);
    return refusedJob(envelope, problemOf(error));
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
    if (!reception.isReplyToAllowed(replyTo))
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

function readTarget(envelope: Envelope, reception: Reception): Target {
  const type: unknown = envelope.delivery.message.properties.type;
  if (typeof type !== "string" || type === "")
    throw new Refusal("invalid_input", "type must be <engine>.<action>.v<N>", "type");
  const target = reception.targets.get(type);
  if (target === undefined) throw unknownTarget(envelope, type, reception.definition);
  envelope.type = type;
  // An event has nobody who waits for a reply.
  if (target.map !== undefined) envelope.replyTo = undefined;
  return target;
}

function unknownTarget(envelope: Envelope, type: string, definition: WorkerDefinition): Refusal {
  const { actions, name } = definition;
  const parts = JOB_TYPE.exec(type);
  if (parts === null || parts[1] !== name)
    return new Refusal("invalid_input", `type must be ${name}.<action>.v<N>`, "type");
  envelope.type = type;
  const actionName = parts[2] as string;
  if (Object.hasOwn(actions, actionName))
    return new Refusal(
      "unknown_version",
      `${name}.${actionName} is at v${actions[actionName]?.version}`,
      "type",
    );
  const known = Object.keys(actions).join(", ");
  return new Refusal("unknown_action", `${name} has the actions ${known}`, "type");
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

function readInput(envelope: Envelope, value: unknown, target: Target): Received {
  const { actionName, action, map } = target;
  const mapped = map === undefined ? value : mapEvent(map, value);
  const parsed = action.input.safeParse(mapped);
  if (!parsed.success)
    return refusedJob(envelope, {
      code: "invalid_input",
      message: `the input breaks the schema of ${envelope.engine}.${actionName}`,
      details: detailsOf(parsed.error),
    });
  const job = envelope as ReceivedJob;
  job.kind = "job";
  job.actionName = actionName;
  job.action = action;
  job.input = parsed.data;
  return job;
}

export function refusedJob(envelope: Envelope, problem: Problem): RefusedJob {
  const refused = envelope as RefusedJob;
  refused.kind = "refused";
  refused.problem = problem;
  return refused;
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
