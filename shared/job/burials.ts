/** Reads what the broker itself dead-lettered, so that it gets the row, the reply and the grave that it missed. */

import type { Delivery } from "../broker/consume.ts";
import { BURIALS } from "../broker/topology.ts";
import { NAME } from "../wire/names.ts";
import { digest, readJson } from "./json.ts";
import {
  emptyEnvelope,
  type Problem,
  type Reception,
  type RefusedJob,
  readAddress,
  readHeaders,
  refusedJob,
} from "./receive.ts";

interface Death {
  queue: string;
  reason: string;
}

/** A buried message is a refused job of the engine in whose queue it died. Never throws. */
export function receiveBuried(delivery: Delivery, reception: Reception): RefusedJob {
  const { properties, content } = delivery.message;
  const death = lastDeath(properties.headers?.["x-death"]);
  const envelope = emptyEnvelope(delivery, engineOf(death?.queue, reception.names.prefix));
  // The envelope may be as bad as any: what can't be read stays empty.
  leniently(() => readAddress(envelope, properties, reception));
  leniently(() => readHeaders(envelope, properties.headers ?? {}));
  if (typeof properties.type === "string") envelope.type = properties.type;
  envelope.inputHash = hashOf(content);
  return refusedJob(envelope, problemOf(death?.reason));
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

function problemOf(reason: string | undefined): Problem {
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

function hashOf(content: Buffer): string {
  try {
    return readJson(content).canonicalHash;
  } catch {
    return digest(content);
  }
}

function leniently(read: () => void): void {
  try {
    read();
  } catch {
    // The job is being buried already.
  }
}
