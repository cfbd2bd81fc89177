/** What the content header of a message says, where amqplib does not say it. */
import { isUtf8 } from "node:buffer";

/** What is odd about a few messages' properties. */
export interface Oddity {
  /** The headers can't be decoded: those of the message are empty. */
  undecodable?: Error;
  /** Size of a body that was too large to be taken: that of the message is empty. */
  tooLargeBytes?: number;
}

/** What a content header says beside its table of headers; a text that is no UTF-8 reads as amqplib reads it. */
interface PlainProperties {
  contentType?: string;
  contentEncoding?: string;
  correlationId?: string | Buffer;
  replyTo?: string;
  expiration?: string;
  messageId?: string;
  timestamp?: number;
  type?: string;
  userId?: string;
  appId?: string;
}

/** Stands for properties whose headers can't be decoded: the others are there. */
export class Undecodable implements Oddity {
  readonly headers = {};
  readonly undecodable: Error;
  /** @param payload of the content header frame. */
  constructor(reason: Error, payload: Buffer) {
    this.undecodable = reason;
    Object.assign(this, plainProperties(payload));
  }
}

const FLAGS_AT = 12;
const PROPERTIES_AT = 14;
/** In the order of the flags' bits, the highest first (AMQP 0-9-1, 4.2.6.1). */
const PROPERTIES = [
  "contentType",
  "contentEncoding",
  "headers",
  "deliveryMode",
  "priority",
  "correlationId",
  "replyTo",
  "expiration",
  "messageId",
  "timestamp",
  "type",
  "userId",
  "appId",
] as const;

/** As far as they can be read: where one is cut off, it and those after it are left out. */
function plainProperties(payload: Buffer): PlainProperties {
  const found: Record<string, unknown> = {};
  try {
    const flags = payload.readUInt16BE(FLAGS_AT);
    let at = PROPERTIES_AT;
    for (const [index, name] of PROPERTIES.entries()) {
      if ((flags & (1 << (15 - index))) === 0) continue;
      switch (name) {
        case "headers":
          at += 4 + payload.readUInt32BE(at);
          break;
        case "deliveryMode":
        case "priority":
          at += 1;
          break;
        case "timestamp":
          found[name] = Number(payload.readBigUInt64BE(at));
          at += 8;
          break;
        default: {
          const end = at + 1 + payload.readUInt8(at);
          if (end > payload.length) return found;
          const bytes = payload.subarray(at + 1, end);
          const isBytes = name === "correlationId" && !isUtf8(bytes);
          found[name] = isBytes ? Buffer.from(bytes) : bytes.toString();
          at = end;
        }
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return found;
}

/**
 * The correlation id of a payload that has one: text where it is UTF-8, otherwise its bytes.
 * @param payload of a content header frame.
 */
export function correlationIdBytes(payload: Buffer): string | Buffer {
  return plainProperties(payload).correlationId ?? "";
}
