/** Publishes what amqplib writes for nobody: texts that are no UTF-8, and headers nested deeper than it can read. */
import type { ConfirmChannel } from "amqplib";

/** Stands, in what is said of a message, for a byte that is no UTF-8: whoever decodes that reads just this. */
export const BROKEN = "\ufffd";
const BROKEN_BYTE = Buffer.from([0xff]);

export interface RawMessage {
  exchange: string;
  routingKey: string;
  body: Buffer;
  /** Each may hold {@link BROKEN}. */
  contentType: string;
  correlationId?: string | undefined;
  replyTo?: string | undefined;
  messageId: string;
  type: string;
  userId: string;
  /** Epoch seconds. */
  timestamp: number;
  /** Has headers that overflow the stack of whoever decodes them by recursion. */
  isNested: boolean;
}

const METHOD = 1;
const HEADER = 2;
const BODY = 3;
const FRAME_END = Buffer.from([0xce]);
const BASIC_CLASS = 60;
const BASIC_PUBLISH = 0x003c0028;
const PERSISTENT = Buffer.from([2]);
const LEVELS = 5_000;

/** What of an amqplib channel writes bytes. */
interface Insides {
  ch: number;
  connection: { sendBytes(bytes: Buffer): void };
  pushConfirmCallback(told: (error: Error | null) => void): void;
}

/** @param channel one on which nothing else is published: amqplib keeps what it sends in queues of its own. */
export function publishRaw(
  channel: ConfirmChannel,
  message: RawMessage,
  told: (error: Error | null) => void,
): void {
  const { ch, connection } = channel as unknown as Insides;
  const { exchange, routingKey, body } = message;
  const method = [uint(4, BASIC_PUBLISH), uint(2, 0), short(exchange), short(routingKey)];
  connection.sendBytes(
    Buffer.concat([
      frame(METHOD, ch, Buffer.concat([...method, uint(1, 0)])),
      frame(HEADER, ch, Buffer.concat([uint(2, BASIC_CLASS), uint(2, 0), ...sized(message)])),
      frame(BODY, ch, body),
    ]),
  );
  (channel as unknown as Insides).pushConfirmCallback(told);
}

/** Size, flags and properties, in the order of the flags' bits, the highest first (AMQP 0-9-1, 4.2.6.1). */
function sized(message: RawMessage): Buffer[] {
  const { correlationId, replyTo } = message;
  const properties: [number, Buffer | undefined][] = [
    [15, short(message.contentType)],
    [13, message.isNested ? nested(LEVELS) : undefined],
    [12, PERSISTENT],
    [10, correlationId === undefined ? undefined : short(correlationId)],
    [9, replyTo === undefined ? undefined : short(replyTo)],
    [7, short(message.messageId)],
    [6, uint(8, message.timestamp)],
    [5, short(message.type)],
    [4, short(message.userId)],
  ];
  const present = properties.filter((entry): entry is [number, Buffer] => entry[1] !== undefined);
  const flags = present.reduce((sum, [bit]) => sum + 2 ** bit, 0);
  return [uint(8, message.body.length), uint(2, flags), ...present.map(([, bytes]) => bytes)];
}

const frame = (type: number, channel: number, payload: Buffer) =>
  Buffer.concat([uint(1, type), uint(2, channel), uint(4, payload.length), payload, FRAME_END]);

function uint(bytes: number, value: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  if (bytes === 8) buffer.writeBigUInt64BE(BigInt(value));
  else buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}

function short(text: string): Buffer {
  const parts = text.split(BROKEN).flatMap((part) => [BROKEN_BYTE, Buffer.from(part)]);
  const bytes = Buffer.concat(parts.slice(1));
  return Buffer.concat([uint(1, bytes.length), bytes]);
}

/** A table in a table, so many times, each under an empty name. */
function nested(levels: number): Buffer {
  const bytes = Buffer.alloc(4 + 6 * levels);
  for (let level = 0; level <= levels; level++) {
    bytes.writeUInt32BE(6 * (levels - level), 6 * level);
    if (level < levels) bytes.write("\0F", 6 * level + 4, "latin1");
  }
  return bytes;
}
