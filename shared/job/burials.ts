/** Reads what the broker itself dead-lettered, so that it gets the row, the reply and the grave that it missed. */
import type { Delivery } from "../broker/consume.ts";
import { type BrokerNames, BURIALS, jobKey, type Lane, NAME } from "../wire/names.ts";
import {
  type Envelope,
  emptyEnvelope,
  type RefusedJob,
  rawHash,
  readHeaders,
  refusedJob,
  storableType,
  type UntriedJob,
} from "./envelope.ts";
import { readJson } from "./json.ts";
import type { Problem } from "./problem.ts";
import { ownHeaders } from "./publisher.ts";
import { readSender, undecodable } from "./receive.ts";
import type { Reception } from "./reception.ts";

interface Death {
  queue: string;
  reason: string;
}

/**
 * A buried message is a refused job of the engine in whose queue it died, or one that may still have its turn there.
 * Never throws.
 */
export function receiveBuried(delivery: Delivery, reception: Reception): RefusedJob | UntriedJob {
  try {
    return read(delivery, reception);
  } catch {
    return refusedJob(emptyEnvelope(delivery, BURIALS), problemOfDeath(undefined));
  }
}

function read(delivery: Delivery, reception: Reception): RefusedJob | UntriedJob {
  if (delivery.undecodable !== undefined)
    return undecodable(emptyEnvelope(delivery, BURIALS), reception, delivery.undecodable);
  const { properties } = delivery.message;
  const death = lastDeath(ownHeaders(properties.headers, [])["x-death"]);
  const { engine, lane } = originOf(death?.queue, properties.type, reception.names);
  const envelope = emptyEnvelope(delivery, engine);
  envelope.lane = lane;
  // The envelope may be as bad as any: what can't be read stays empty, and is no fault any more.
  readHeaders(envelope, readSender(envelope, reception, []), []);
  envelope.type = storableType(properties.type);
  envelope.inputHash = hashOf(delivery);
  if (death?.reason === "delivery_limit" && isUntried(envelope)) {
    envelope.rescues++;
    return Object.assign(envelope, { kind: "untried" as const });
  }
  return refusedJob(envelope, problemOfDeath(death?.reason));
}

/** So often is a job given back that the broker's limit took. Each time is as many deliveries as the limit says. */
const MAX_RESCUES = 1;

/**
 * The broker counts each delivery whose connection was lost, also that of a job beside which another one brought
 * its worker down: only our own count tells them apart. A body that was not taken in can't be given back.
 */
const isUntried = ({ delivery, engine, crashes, rescues }: Envelope) =>
  crashes === 0 &&
  rescues < MAX_RESCUES &&
  engine !== BURIALS &&
  delivery.tooLargeBytes === undefined;

/** The broker puts the latest death first. */
export function lastDeath(header: unknown): Death | undefined {
  const first: unknown = Array.isArray(header) ? header[0] : undefined;
  if (typeof first !== "object" || first === null) return undefined;
  const { queue, reason } = first as Record<string, unknown>;
  return typeof queue === "string" && typeof reason === "string" ? { queue, reason } : undefined;
}

interface Origin {
  engine: string;
  lane: Lane;
}

/** In whose queue it died, its own or that of its dead letters; what was unrouted says itself for whom it was. */
function originOf(queue: string | undefined, type: unknown, names: BrokerNames): Origin {
  const prefix = `${names.prefix}.`;
  const key =
    queue === names.unrouted
      ? (String(type).split(".", 1)[0] ?? "")
      : queue?.startsWith(prefix)
        ? queue.slice(prefix.length).replace(/\.dead$/, "")
        : "";
  const [name = ""] = key.split(".", 1);
  const lane = key === jobKey(name, "bulk") ? "bulk" : "interactive";
  if (NAME.test(name) && key === jobKey(name, lane)) return { engine: name, lane };
  return { engine: BURIALS, lane: "interactive" };
}

function problemOfDeath(reason: string | undefined): Problem {
  switch (reason) {
    case "expired":
      return {
        code: "expired",
        message:
          "the message's expiration passed before a worker took it; set x-deadline instead of expiration",
      };
    case "delivery_limit":
      return {
        code: "quarantined",
        message: "the broker delivered the job too often without an end",
      };
    default:
      return {
        code: "quarantined",
        message: `the broker dropped the job (${String(reason).slice(0, 40)})`,
      };
  }
}

function hashOf(delivery: Delivery): string {
  try {
    if (delivery.tooLargeBytes === undefined)
      return readJson(delivery.message.content).canonicalHash;
  } catch {
    // Whatever the body is, it has a hash.
  }
  return rawHash(delivery);
}
