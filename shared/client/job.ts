/** Builds a job's message from what the caller gave, and refuses what could never be accepted. */
import { randomUUID } from "node:crypto";
import type { Field } from "@cloudamqp/amqp-client";
import { HEADERS } from "../wire/headers.ts";
import {
  type BrokerNames,
  JOB_ID,
  jobKey,
  jobType,
  type Lane,
  MAX_AHEAD_MS,
} from "../wire/names.ts";
import type { Contract } from "./contract-of.ts";
import { InvalidArgument } from "./errors.ts";
import type { Outgoing } from "./publisher.ts";

/** What can be said about any job. */
export interface JobOptions {
  /** The idempotency key, 1 to 128 of `[A-Za-z0-9][A-Za-z0-9._:-]*`. Default: a random UUID. */
  id?: string;
  /** When the job must have started, or else end as `expired`, unrun: a Date or epoch ms. */
  deadline?: Date | number;
  /**
   * When it is to run, at most 366 days ahead: a Date or epoch ms. Until then the scheduler keeps it, and nothing of
   * it runs; the same job again with another time moves it. What has passed runs at once. Default: now.
   */
  runAt?: Date | number;
  /** The same, as milliseconds from now, by this machine's clock. Not together with `runAt`. */
  runIn?: number;
  /**
   * `bulk`: it may wait behind all that people wait for, such as a nightly run of 200,000 jobs; it has a queue of its
   * own. Default: `interactive`.
   */
  lane?: Lane;
  /** W3C trace context, carried on. */
  traceparent?: string;
  /** Stops waiting. What was already published stays published. */
  signal?: AbortSignal;
}

/** A job that is ready to be published, again and again. */
export interface Job {
  id: string;
  engine: string;
  action: string;
  message: Outgoing;
}

const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;
/** What the broker takes as a queue name or a correlation id: a short string. */
const MAX_SHORT_STRING_BYTES = 255;

export function checkShortString(what: string, value: string | undefined): void {
  if (value === undefined) return;
  const isFit = typeof value === "string" && value !== "";
  if (!isFit || Buffer.byteLength(value) > MAX_SHORT_STRING_BYTES)
    throw new InvalidArgument("invalid_option", `${what} must have 1 to 255 bytes`);
}

/** Throws {@link InvalidArgument} unless `id` is a job id. */
export function checkJobId(id: string): void {
  if (typeof id !== "string" || !JOB_ID.test(id))
    throw new InvalidArgument(
      "invalid_id",
      `the job id ${JSON.stringify(id)} must match ${JOB_ID}`,
    );
}

/** Throws {@link InvalidArgument} unless the contract has the engine; a wrong name would be kept, never run. */
export function checkEngine(contract: Contract, engine: string) {
  if (Object.hasOwn(contract.engines, engine)) return contract.engines[engine];
  const known = Object.keys(contract.engines).join(", ");
  throw new InvalidArgument(
    "unknown_engine",
    `there is no engine ${JSON.stringify(engine)} (there is: ${known})`,
  );
}

function encode(input: unknown, maxBytes: number, type: string): string {
  let body: string | undefined;
  try {
    body = JSON.stringify(input);
  } catch (cause) {
    throw new InvalidArgument("invalid_input", `the input of ${type} is not JSON: ${cause}`);
  }
  if (body === undefined)
    throw new InvalidArgument("invalid_input", `the input of ${type} is not JSON`);
  const bytes = Buffer.byteLength(body);
  if (bytes > maxBytes)
    throw new InvalidArgument("payload_too_large", `${type}: ${bytes} bytes, at most ${maxBytes}`);
  return body;
}

export function buildJob(
  context: {
    contract: Contract;
    names: BrokerNames;
    appId: string;
    publisher: string | undefined;
  },
  engine: string,
  action: string,
  input: unknown,
  options: JobOptions & { replyTo?: string; correlationId?: string },
): Job {
  const { id = randomUUID(), deadline, traceparent, replyTo, correlationId } = options;
  const facts = checkEngine(context.contract, engine)?.[action];
  if (!facts || !Object.hasOwn(context.contract.engines[engine] as object, action))
    throw new InvalidArgument(
      "unknown_action",
      `${engine} has no action ${JSON.stringify(action)}`,
    );
  checkJobId(id);
  checkShortString("replyTo", replyTo);
  checkShortString("correlationId", correlationId);
  if (traceparent !== undefined && !TRACEPARENT.test(traceparent))
    throw new InvalidArgument("invalid_option", "traceparent must be a W3C trace context");
  const type = jobType(engine, action, facts.version);
  checkShortString("type", type);
  const headers: Record<string, Field> = {};
  if (traceparent !== undefined) headers[HEADERS.traceparent] = traceparent;
  if (deadline !== undefined) headers[HEADERS.deadline] = epochMs("deadline", deadline);
  const runAt = readRunAt(options);
  if (runAt !== undefined) headers[HEADERS.runAt] = runAt;
  const properties = {
    messageId: id,
    type,
    contentType: "application/json",
    deliveryMode: 2,
    appId: context.appId,
    timestamp: new Date(),
    headers,
    ...(context.publisher !== undefined && { userId: context.publisher }),
    ...(replyTo !== undefined && { replyTo }),
    ...(correlationId !== undefined && { correlationId }),
  };
  const body = encode(input, facts.maxInputBytes, type);
  const message = {
    exchange: runAt === undefined ? context.names.jobs : context.names.later,
    routingKey: jobKey(engine, readLane(options.lane)),
    body,
    properties,
  };
  return { id, engine, action, message };
}

function readLane(lane: Lane | undefined): Lane | undefined {
  if (lane === undefined || lane === "interactive" || lane === "bulk") return lane;
  throw new InvalidArgument("invalid_option", "lane must be interactive or bulk");
}

/** As a 64-bit integer: the library would cut a number between 2^31 and 2^32 to 32 bits. */
function epochMs(option: string, time: Date | number): bigint {
  const ms = Math.round(Number(time));
  if (!Number.isSafeInteger(ms) || ms < 0)
    throw new InvalidArgument("invalid_option", `${option} must be a Date or epoch milliseconds`);
  return BigInt(ms);
}

function readRunAt({ runAt, runIn, deadline }: JobOptions): bigint | undefined {
  if (runAt === undefined && runIn === undefined) return undefined;
  if (runAt !== undefined && runIn !== undefined)
    throw new InvalidArgument("invalid_option", "give runAt or runIn, not both");
  if (runIn !== undefined && !(runIn >= 0))
    throw new InvalidArgument("invalid_option", "runIn must be milliseconds from now, 0 or more");
  const now = Date.now();
  const ms = epochMs(runAt === undefined ? "runIn" : "runAt", runAt ?? now + Number(runIn));
  if (ms > now + MAX_AHEAD_MS)
    throw new InvalidArgument("invalid_option", "a job may wait 366 days at most");
  if (deadline !== undefined && ms > Number(deadline))
    throw new InvalidArgument("invalid_option", "the deadline is before the time to run at");
  return ms;
}
