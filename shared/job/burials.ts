/** Reads what the broker itself dead-lettered, so that it gets the row, the reply and the grave that it missed. */
import type { Delivery } from "../broker/consume.ts";
import { BURIALS } from "../broker/topology.ts";
import { NAME } from "../wire/names.ts";
import { emptyEnvelope, type RefusedJob, rawHash, readHeaders, refusedJob } from "./envelope.ts";
import { readJson } from "./json.ts";
import type { Problem } from "./problem.ts";
import { ownHeaders } from "./publisher.ts";
import { readSender, undecodable } from "./receive.ts";
import type { Reception } from "./reception.ts";

interface Death {
  queue: string;
  reason: string;
}

/** A buried message is a refused job of the engine in whose queue it died. Never throws. */
export function receiveBuried(delivery: Delivery, reception: Reception): RefusedJob {
  try {
    return read(delivery, reception);
  } catch {
    return refusedJob(emptyEnvelope(delivery, BURIALS), problemOfDeath(undefined));
  }
}

function read(delivery: Delivery, reception: Reception): RefusedJob {
  if (delivery.undecodable !== undefined)
    return undecodable(emptyEnvelope(delivery, BURIALS), delivery.undecodable);
  const { properties } = delivery.message;
  const death = lastDeath(ownHeaders(properties.headers, [])["x-death"]);
  const envelope = emptyEnvelope(delivery, engineOf(death?.queue, reception.names.prefix));
  // The envelope may be as bad as any: what can't be read stays empty, and is no fault any more.
  readHeaders(envelope, readSender(envelope, reception, []), []);
  envelope.type = storableType(properties.type);
  envelope.inputHash = hashOf(delivery);
  return refusedJob(envelope, problemOfDeath(death?.reason));
}

/** AMQP's short strings end here, and a reply's type has `.result` behind it. */
const MAX_TYPE_BYTES = 255 - ".result".length;

/** Postgres takes no NUL in a text, and no type of a job or an event has control characters. */
function storableType(type: unknown): string {
  const isUsable =
    typeof type === "string" &&
    Buffer.byteLength(type) <= MAX_TYPE_BYTES &&
    type.isWellFormed() &&
    !/\p{Cc}/u.test(type);
  return isUsable ? type : "";
}

/** The broker puts the latest death first. */
function lastDeath(header: unknown): Death | undefined {
  const first: unknown = Array.isArray(header) ? header[0] : undefined;
  if (typeof first !== "object" || first === null) return undefined;
  const { queue, reason } = first as Record<string, unknown>;
  return typeof queue === "string" && typeof reason === "string" ? { queue, reason } : undefined;
}

function engineOf(queue: string | undefined, prefix: string): string {
  const name = queue?.startsWith(`${prefix}.`) ? queue.slice(prefix.length + 1) : "";
  return NAME.test(name) ? name : BURIALS;
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
