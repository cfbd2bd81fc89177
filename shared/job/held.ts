/** Reads a job of any engine that is to run later as a job of the scheduler's own, which is to keep it. */
import type { ConsumeMessage, Delivery } from "../broker/consume.ts";
import type { HeldJob, LaterJobs } from "../engine/define-worker.ts";
import { HEADERS } from "../wire/headers.ts";
import { type BrokerNames, engineUser, jobKey, jobType, type Lane, NAME } from "../wire/names.ts";
import { checkContent } from "./content-type.ts";
import {
  checkRunAt,
  checkTimestamp,
  type Envelope,
  emptyEnvelope,
  type Received,
  readHeaders,
  refusedJob,
  storableType,
} from "./envelope.ts";
import { digest } from "./json.ts";
import { type Fault, invalid, problemOf } from "./problem.ts";
import { checkWay } from "./publisher.ts";
import { readBody, readInput, readSender, receive } from "./receive.ts";
import type { Reception, Target } from "./reception.ts";
import { nameOf } from "./schema.ts";

/** Of the job that is to be kept; the envelope's own are those of the keeping. */
interface Counts {
  lane: Lane;
  generation: number;
  attempt: number;
  crashes: number;
  returns: number;
}

const JOB_TYPE = /^([a-z0-9-]+)\.[a-z0-9-]+\.v[1-9]\d{0,5}$/;
const HELD = /^([a-z0-9-]{1,40}) (interactive|bulk) (\d{1,4}) (\d{1,4}) (\d{1,4}) (\d{1,4})$/;

/** What comes to the scheduler's queue: jobs for later, and jobs of its own. Never throws. */
export function receiveLater(
  delivery: Delivery,
  reception: Reception,
  later: LaterJobs,
  now: number,
): Received {
  if (delivery.undecodable !== undefined || !isForLater(delivery.message, reception.names))
    return receive(delivery, reception, now);
  const envelope = emptyEnvelope(delivery, reception.definition.name);
  try {
    return read(envelope, reception, later, now);
  } catch (error) {
    return refusedJob(envelope, {
      code: "invalid_input",
      message: `the message can't be read (${nameOf(error)})`,
    });
  }
}

/** As it came first, or on its way back: over a tier, or as a dead letter that is replayed. */
const isForLater = ({ fields, properties }: ConsumeMessage, names: BrokerNames) =>
  fields.exchange === names.later || properties.headers?.[HEADERS.held] !== undefined;

function read(envelope: Envelope, reception: Reception, later: LaterJobs, now: number): Received {
  const { delivery } = envelope;
  const { properties, fields } = delivery.message;
  const { definition, identity, names } = reception;
  const faults: Fault[] = [];
  const known = HELD.exec(String(properties.headers?.[HEADERS.held] ?? ""));
  const engine = targetOf(fields, known, names);
  // Whose it is, and what it may say, is as it would be at its engine.
  const job = emptyEnvelope(delivery, engine);
  const headers = readSender(job, reception, faults);
  const isReadable = checkContent(properties, faults);
  readHeaders(job, headers, faults);
  job.type = storableType(properties.type);
  // An engine puts off its events, too.
  const isOwn = headers[HEADERS.publisher] !== undefined && job.type !== "";
  if (!isOwn && JOB_TYPE.exec(job.type)?.[1] !== engine)
    invalid(faults, "type", `type must be ${engine || "<engine>"}.<action>.v<N>`);
  if (job.runAt === 0) invalid(faults, `headers.${HEADERS.runAt}`, `${HEADERS.runAt} is missing`);
  checkWay(job, delivery.message, false, { names, identity }, faults);
  checkTimestamp(job, properties, faults);
  checkRunAt(job, now, faults);
  const counts = countsOf(job, fields.routingKey, known);
  takeOver(envelope, job, counts, known !== null);
  const action = definition.actions[later.action] as Target["action"];
  envelope.type = jobType(definition.name, later.action, action.version);
  const target: Target = { actionName: later.action, action, map: undefined };
  readBody(envelope, reception, isReadable, target, faults);
  if (faults.length > 0) return refusedJob(envelope, problemOf(faults as [Fault, ...Fault[]]));
  const held = heldOf(job, engine, counts, envelope.inputHash);
  envelope.id = holdId(held, sayingOf(job, reception));
  return readInput(envelope, later.map(held), target);
}

/** Its engine: of what comes for the first time the routing key, which the broker's rights are about. */
function targetOf(
  { exchange, routingKey }: ConsumeMessage["fields"],
  known: RegExpExecArray | null,
  names: BrokerNames,
): string {
  const [engine = ""] = exchange === names.later ? routingKey.split(".", 1) : [known?.[1]];
  return NAME.test(engine) ? engine : "";
}

function countsOf(job: Envelope, routingKey: string, known: RegExpExecArray | null): Counts {
  if (known !== null) {
    const [generation = 0, attempt = 1, crashes = 0, returns = 0] = known.slice(3).map(Number);
    return { lane: known[2] as Lane, generation, attempt, crashes, returns };
  }
  const { engine, generation, attempt, crashes, returns } = job;
  const lane = routingKey === jobKey(engine, "bulk") ? "bulk" : "interactive";
  return { lane, generation, attempt, crashes, returns };
}

/** The keeping has counts of its own: it is no attempt of the job's. */
function takeOver(
  envelope: Envelope,
  job: Envelope,
  { lane, generation, attempt, crashes, returns }: Counts,
  isBack: boolean,
): void {
  Object.assign(envelope, {
    ...job,
    engine: envelope.engine,
    deadline: undefined,
    runAt: 0,
    correlationId: job.correlationId ?? job.id,
    held: {
      type: job.type,
      runAt: job.runAt,
      counts: `${job.engine} ${lane} ${generation} ${attempt} ${crashes} ${returns}`,
    },
    ...(!isBack && {
      generation: 0,
      attempt: 1,
      crashes: 0,
      rescues: 0,
      returns: job.redeliveries,
    }),
  });
}

function heldOf(job: Envelope, engine: string, counts: Counts, inputHash: string): HeldJob {
  const { id = "", type, runAt, publisher, appId, replyTo, correlationId, deadline } = job;
  return {
    engine,
    id,
    type,
    ...counts,
    runAtMs: runAt,
    body: job.delivery.message.content.toString(),
    inputHash,
    publisher,
    appId,
    replyTo,
    // Bytes that are no UTF-8 have no place in a row: the caller then hears of it by the job's id.
    correlationId: typeof correlationId === "string" ? correlationId : undefined,
    deadlineMs: deadline,
    traceparent: job.traceparent,
  };
}

/**
 * What tells a message from an earlier one that said the same, so that a job may be moved back to a time that it had.
 * An engine's own come again with another timestamp, and have that of the job that wanted them.
 */
function sayingOf(
  { delivery, engine, publisher, correlationId = "" }: Envelope,
  { identity }: Reception,
): string {
  const { timestamp } = delivery.message.properties;
  const isOwn = publisher === engineUser(identity.prefix, engine);
  return `${String(correlationId)}\n${isOwn ? "" : String(timestamp)}`;
}

/** One for each time that a job is put off: the same message twice is the same keeping. */
function holdId(held: HeldJob, saying: string): string {
  const { engine, id, generation, attempt, runAtMs, publisher = "" } = held;
  const parts = [engine, id, generation, attempt, runAtMs, publisher, saying];
  return `held-${digest(parts.join("\n"))}`;
}
