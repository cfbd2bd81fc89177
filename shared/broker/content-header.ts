/** What the content header of a message says, where amqplib does not say it. */
import { isUtf8 } from "node:buffer";

/** What is odd about a few messages' properties. */
export interface Oddity {
  /** The properties can't be decoded: those of the message are empty. */
  undecodable?: Error;
  /** Size of a body that was too large to be taken: that of the message is empty. */
  tooLargeBytes?: number;
}

/** Stands for properties that can't be decoded. */
export class Undecodable implements Oddity {
  readonly headers = {};
  readonly undecodable: Error;
  constructor(reason: Error) {
    this.undecodable = reason;
  }
}

const FLAGS_AT = 12;
const PROPERTIES_AT = 14;
/** Bits of the property flags, in the order of the properties (AMQP 0-9-1, 4.2.6.1). */
const CONTENT_TYPE = 1 << 15;
const CONTENT_ENCODING = 1 << 14;
const HEADERS = 1 << 13;
const DELIVERY_MODE = 1 << 12;
const PRIORITY = 1 << 11;

/**
 * The correlation id of a payload that has one: text where it is UTF-8, otherwise its bytes.
 * @param payload of a content header frame.
 */
export function correlationIdBytes(payload: Buffer): string | Buffer {
  const flags = payload.readUInt16BE(FLAGS_AT);
  let at = PROPERTIES_AT;
  if (flags & CONTENT_TYPE) at += 1 + payload.readUInt8(at);
  if (flags & CONTENT_ENCODING) at += 1 + payload.readUInt8(at);
  if (flags & HEADERS) at += 4 + payload.readUInt32BE(at);
  if (flags & DELIVERY_MODE) at += 1;
  if (flags & PRIORITY) at += 1;
  const bytes = payload.subarray(at + 1, at + 1 + payload.readUInt8(at));
  return isUtf8(bytes) ? bytes.toString() : Buffer.from(bytes);
}
