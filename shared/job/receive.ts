/** Turns a delivery into a job, or says what is wrong with it; nothing is taken on trust. */
import type { Delivery, MessageProperties } from "../broker/consume.ts";
import type { WorkerDefinition } from "../engine/define-worker.ts";
import { HEADERS } from "../wire/headers.ts";
import { NAME } from "../wire/names.ts";
import { checkContent } from "./content-type.ts";
import {
  checkRunAt,
  checkTimestamp,
  type Envelope,
  emptyEnvelope,
  isCelery,
  type Received,
  type ReceivedJob,
  type RefusedJob,
  rawHash,
  readAddress,
  readHeaders,
  readId,
  refusedJob,
  storableAppId,
  storableType,
} from "./envelope.ts";
import { BadJson, readJson } from "./json.ts";
import { type Fault, invalid, type Problem, problemOf } from "./problem.ts";
import { checkWay, ownHeaders, readPublisher } from "./publisher.ts";
import { DEFAULT_MAX_INPUT_BYTES, type Reception, type Target } from "./reception.ts";
import { issuesIn, nameOf, parseWith } from "./schema.ts";

export type { Envelope, Received, ReceivedJob, RefusedJob, UntriedJob } from "./envelope.ts";
export type { Problem } from "./problem.ts";
export { createReception, type Reception } from "./reception.ts";

const JOB_TYPE = /^([a-z0-9-]+)\.([a-z0-9-]+)\.v[1-9]\d{0,5}$/;
const CELERY = "this is a Celery message; publish the job as docs/contract/README.md describes";

const CANCELLED: Problem = {
  code: "cancelled",
  message: "cancelled by the caller while it waited for its time",
};

/** Never throws, whatever the message holds and the engine's own code does: what is wrong comes back as a refused job. */
export function receive(delivery: Delivery, reception: Reception, now: number): Received {
  const envelope = emptyEnvelope(delivery, reception.definition.name);
  try {
    return read(envelope, reception, now);
  } catch (error) {
    return refusedJob(envelope, {
      code: "invalid_input",
      message: `the message can't be read (${nameOf(error)})`,
    });
  }
}

/** All faults of the envelope are told at once; what comes after presumes that it has none. */
function read(envelope: Envelope, reception: Reception, now: number): Received {
  const { delivery } = envelope;
  if (delivery.undecodable !== undefined)
    return undecodable(envelope, reception, delivery.undecodable);
  const { properties } = delivery.message;
  const faults: Fault[] = [];
  const headers = readSender(envelope, reception, faults);
  const isReadable = checkContent(properties, faults);
  readHeaders(envelope, headers, faults);
  const target = readTarget(envelope, reception, faults);
  checkWay(envelope, delivery.message, target?.map !== undefined, reception, faults);
  checkTimestamp(envelope, properties, faults);
  checkRunAt(envelope, now, faults);
  const value = readBody(envelope, reception, isReadable, target, faults);
  if (target === undefined || isFaulty(faults))
    return refusedJob(envelope, faultsOf(faults, headers));
  const expired = expiredOf(envelope, properties, reception.maxAgeMs, now);
  if (expired !== undefined) return refusedJob(envelope, problemOf([expired]));
  if (headers[HEADERS.cancelled] !== undefined) return refusedJob(envelope, CANCELLED);
  return readInput(envelope, value, target);
}

/** Returns the headers that its sender may say. */
export function readSender(
  envelope: Envelope,
  reception: Reception,
  faults: Fault[],
): Record<string, unknown> {
  const { properties } = envelope.delivery.message;
  const headers = ownHeaders(properties.headers, faults);
  envelope.appId = storableAppId(properties.appId);
  readId(envelope, properties, faults);
  const believed = readPublisher(envelope, properties, headers, reception.identity, faults);
  readAddress(envelope, properties, reception, faults);
  return believed;
}

const isFaulty = (faults: Fault[]): faults is [Fault, ...Fault[]] => faults.length > 0;

function faultsOf(faults: Fault[], headers: Record<string, unknown>): Problem {
  return problemOf(faults as [Fault, ...Fault[]], isCelery(headers) ? CELERY : undefined);
}

/** What such a message says beside its headers is known: which job it is, and whom to tell. */
export function undecodable(envelope: Envelope, reception: Reception, error: Error): RefusedJob {
  const { properties } = envelope.delivery.message;
  readSender(envelope, reception, []);
  envelope.type = storableType(properties.type);
  envelope.inputHash = rawHash(envelope.delivery);
  const why = String(error.message).slice(0, 200);
  const message = `the message's headers could not be decoded (${why})`;
  return refusedJob(envelope, problemOf([{ code: "invalid_input", message, path: "headers" }]));
}

/** The hash is known whatever else is wrong: a finished job that comes again past its deadline must match its row. */
export function readBody(
  envelope: Envelope,
  reception: Reception,
  isReadable: boolean,
  target: Target | undefined,
  faults: Fault[],
): unknown {
  const { tooLargeBytes, message } = envelope.delivery;
  const bytes = tooLargeBytes ?? message.content.length;
  if (tooLargeBytes !== undefined || bytes > reception.maxInputBytes) {
    envelope.inputHash = rawHash(envelope.delivery);
    tooLarge(faults, bytes, limitOf(target) ?? reception.maxInputBytes);
    return undefined;
  }
  const limit = limitOf(target);
  if (limit !== undefined && bytes > limit) tooLarge(faults, bytes, limit);
  try {
    const { value, canonicalHash } = readJson(message.content);
    envelope.inputHash = canonicalHash;
    return value;
  } catch (error) {
    if (!(error instanceof BadJson)) throw error;
    envelope.inputHash = rawHash(envelope.delivery);
    // A compressed body is no JSON, which says nothing more.
    if (isReadable) invalid(faults, error.path, error.message);
    return undefined;
  }
}

const limitOf = (target: Target | undefined) =>
  target && (target.action.maxInputBytes ?? DEFAULT_MAX_INPUT_BYTES);

function tooLarge(faults: Fault[], bytes: number, maxBytes: number): void {
  const message = `the body has ${bytes} bytes; at most ${maxBytes} are accepted: send large data by reference`;
  faults.push({ code: "payload_too_large", message, path: "" });
}

function readTarget(
  envelope: Envelope,
  { definition, targets }: Reception,
  faults: Fault[],
): Target | undefined {
  const type: unknown = envelope.delivery.message.properties.type;
  const target = typeof type === "string" ? targets.get(type) : undefined;
  if (target === undefined) {
    faults.push(unknownTarget(envelope, type, definition));
    return undefined;
  }
  envelope.type = type as string;
  // An event has nobody who waits for a reply.
  if (target.map !== undefined) envelope.replyTo = undefined;
  return target;
}

function unknownTarget(envelope: Envelope, type: unknown, definition: WorkerDefinition): Fault {
  const { actions, name } = definition;
  const [, engine, action = ""] = (typeof type === "string" && JOB_TYPE.exec(type)) || [];
  const path = "type";
  // Its reply says of which type it is, whatever that is.
  envelope.type = storableType(type);
  if (engine !== name || !NAME.test(action))
    return { code: "invalid_input", message: `type must be ${name}.<action>.v<N>`, path };
  if (Object.hasOwn(actions, action)) {
    const message = `${name}.${action} is at v${actions[action]?.version}`;
    return { code: "unknown_version", message, path };
  }
  const message = `${name} has the actions ${Object.keys(actions).join(", ")}`;
  return { code: "unknown_action", message, path };
}

function expiredOf(
  { deadline, generation }: Envelope,
  { timestamp }: MessageProperties,
  maxAgeMs: number,
  now: number,
): Fault | undefined {
  if (deadline !== undefined && deadline <= now)
    return { code: "expired", message: "the deadline passed before the job could run" };
  // Results and claims older than this are forgotten: running such a job could double its effect.
  if (generation === 0 && typeof timestamp === "number" && timestamp * 1000 < now - maxAgeMs) {
    const message = "the job was published longer ago than results are kept (timestamp)";
    return { code: "expired", message, path: "timestamp" };
  }
  return undefined;
}

export function readInput(envelope: Envelope, value: unknown, target: Target): Received {
  const { actionName, action, map } = target;
  let input = value;
  if (map !== undefined) {
    const mapped = mapEvent(map, value);
    if ("problem" in mapped) return refusedJob(envelope, mapped.problem);
    input = mapped.input;
  }
  const parsed = parseWith(action.input, input, `the input of ${envelope.engine}.${actionName}`);
  if (!parsed.ok) return refusedJob(envelope, { code: "invalid_input", ...parsed.problem });
  const job = envelope as ReceivedJob;
  job.kind = "job";
  job.actionName = actionName;
  job.action = action;
  job.input = parsed.data;
  return job;
}

/** Like a schema, `map` is the engine's own code. */
function mapEvent(
  map: (event: unknown) => unknown,
  value: unknown,
): { input: unknown } | { problem: Problem } {
  let why: string;
  let details: Problem["details"];
  try {
    const input = map(value);
    if (!(input instanceof Promise)) return { input };
    // Nobody waits for it: its failure must not end the process.
    input.catch(() => {});
    why = "map returned a promise; it must be synchronous";
  } catch (error) {
    why = nameOf(error);
    details = issuesIn(error);
  }
  const message = `the event could not be mapped (${why})`;
  return { problem: { code: "invalid_input", message, ...(details && { details }) } };
}
