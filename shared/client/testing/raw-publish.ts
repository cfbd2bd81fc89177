/** Publishes messages that no library would: any bytes as headers and as properties. */
import { AMQPClient } from "@cloudamqp/amqp-client";

export interface RawMessage {
  /** The header table's fields as they are on the wire, without the table's length. */
  headers: Buffer;
  correlationId: Buffer;
  messageId: Buffer;
  type: string | Buffer;
  body: unknown;
  /** Default: application/json. */
  contentType?: Buffer;
  replyTo?: Buffer;
  /** Milliseconds, in digits. */
  expiration?: string;
}

/** A field of the wire: its name, the letter of its type, its bytes. */
export const field = (name: string, type: string, value: Buffer) =>
  Buffer.concat([shortString(name), Buffer.from(type, "latin1"), value]);

/** A long string, table or array: its length, its bytes. */
export const long = (bytes: Buffer) => Buffer.concat([uint(bytes.length, 4), bytes]);

/** Tables in tables in tables. */
export function nested(depth: number): Buffer {
  const levelBytes = 7;
  const opening = Array.from({ length: depth }, (_, level) => {
    const inside = (depth - level - 1) * levelBytes;
    return Buffer.concat([shortString("n"), Buffer.from("F"), uint(inside, 4)]);
  });
  return Buffer.concat(opening);
}

function shortString(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function uint(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}

function frame(type: number, channel: number, ...payload: Buffer[]): Buffer {
  const bytes = Buffer.concat(payload);
  const head = [Buffer.from([type]), uint(channel, 2), uint(bytes.length, 4)];
  return Buffer.concat([...head, bytes, Buffer.from([0xce])]);
}

/** Content type, headers, correlation id, message id and type are there. */
const FLAGS = 0x8000 | 0x2000 | 0x0400 | 0x0080 | 0x0020;
const REPLY_TO = 0x0200;
const EXPIRATION = 0x0100;

function propertiesOf(message: RawMessage): Buffer {
  const { headers, correlationId, replyTo, expiration, messageId, type } = message;
  const flags =
    FLAGS | (replyTo === undefined ? 0 : REPLY_TO) | (expiration === undefined ? 0 : EXPIRATION);
  return Buffer.concat([
    uint(flags, 2),
    shortString(message.contentType ?? "application/json"),
    long(headers),
    shortString(correlationId),
    ...(replyTo === undefined ? [] : [shortString(replyTo)]),
    ...(expiration === undefined ? [] : [shortString(expiration)]),
    shortString(messageId),
    shortString(type),
  ]);
}

/** To an exchange under a key, in order; resolves when the broker has all of them. */
export async function publishRaw(
  amqpUrl: string,
  exchange: string,
  key: string,
  messages: RawMessage[],
): Promise<void> {
  const url = new URL(amqpUrl);
  url.searchParams.set("frameMax", "131072");
  const client = new AMQPClient(url.href);
  await client.connect();
  const channel = await client.channel();
  for (const message of messages) {
    const content = Buffer.from(JSON.stringify(message.body));
    const publish = [uint(60, 2), uint(40, 2), uint(0, 2), shortString(exchange), shortString(key)];
    const head = [uint(60, 2), uint(0, 4), uint(content.length, 6)]; // The size has 8 bytes.
    await client.send(
      Buffer.concat([
        frame(1, channel.id, ...publish, Buffer.from([0])),
        frame(2, channel.id, ...head, propertiesOf(message)),
        frame(3, channel.id, content),
      ]),
    );
  }
  await channel.basicQos(1); // Answered after all that was published before it.
  await client.close();
}
