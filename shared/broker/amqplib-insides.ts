/** All that is reached inside amqplib, whose version is therefore pinned: its socket, its frames, its confirms. */
import type { Socket } from "node:net";
import type { Channel, ChannelModel, ConfirmChannel } from "amqplib";
import { correlationIdBytes, type Oddity, Undecodable } from "./content-header.ts";

const MADE_FOR = "2.3.1";

/** A frame as amqplib decodes it: `fields` of a method or of a content header, `content` of a body. */
interface Frame {
  id?: number;
  channel: number;
  size?: number;
  fields?: object & { correlationId?: unknown };
  content?: Buffer;
}

interface ConnectionInsides {
  stream: Socket;
  /** What was read and is not yet a frame. */
  rest: Buffer;
  /** Whether anything came since the last heartbeat. */
  recvSinceLastCheck: boolean;
  /** Negotiated, in bytes. */
  frameMax: number;
  recvFrame(): Frame | false;
  sendBytes(bytes: Buffer): void;
}

interface ChannelInsides {
  ch: number;
  connection: ConnectionInsides;
  pushConfirmCallback(onConfirm: (error: Error | null) => void): void;
}

/** Another amqplib than the one whose insides are known. */
export class WrongAmqplib extends Error {
  override readonly name = "WrongAmqplib";
}

/** @throws {WrongAmqplib} */
function assertHas(what: string, object: object, members: Record<string, string>): void {
  for (const [member, type] of Object.entries(members)) {
    const found = typeof (object as Record<string, unknown>)[member];
    if (found !== type)
      throw new WrongAmqplib(
        `this amqplib has no ${type} ${what}.${member}; tl-engine was made for ${MADE_FOR}: pin that version`,
      );
  }
}

/** @throws {WrongAmqplib} */
function insidesOf(model: ChannelModel): ConnectionInsides {
  const connection = model.connection as unknown as ConnectionInsides;
  assertHas("connection", connection, {
    stream: "object",
    rest: "object",
    recvSinceLastCheck: "boolean",
    frameMax: "number",
    recvFrame: "function",
    sendBytes: "function",
  });
  assertHas("connection.stream", connection.stream, { write: "function", read: "function" });
  return connection;
}

/**
 * Ends a connection at once, without asking a broker that may no longer answer: its "close" comes with the
 * given reason, and whatever waits on it fails.
 */
export function sever(model: ChannelModel, reason: Error): void {
  insidesOf(model).stream.destroy(reason);
}

/**
 * amqplib writes every frame to the socket by itself, a system call each. Here all frames of one turn
 * of the event loop leave in one piece.
 */
export function coalesceWrites(model: ChannelModel): void {
  const socket = insidesOf(model).stream;
  const write = socket.write.bind(socket);
  let frames: Buffer[] = [];
  const flush = () => {
    const [first] = frames;
    const together = frames.length === 1 && first !== undefined ? first : Buffer.concat(frames);
    frames = [];
    write(together);
  };
  socket.write = ((frame: Buffer) => {
    if (frames.push(frame) === 1) process.nextTick(flush);
    return socket.writableLength < socket.writableHighWaterMark;
  }) as typeof socket.write;
}

/**
 * Where amqplib's own `publish` ends: it encodes a message several times over and sends it through two
 * streams, which costs a worker a tenth of all that it does.
 */
export interface Outlet {
  channel: number;
  /** In bytes. */
  frameMax: number;
  send(bytes: Buffer): void;
  /** To be called once for each message, in the order in which they were sent. */
  onConfirm(told: (error: Error | null) => void): void;
}

/** @throws {WrongAmqplib} */
export function outletOf(confirmChannel: ConfirmChannel): Outlet {
  const channel = confirmChannel as Channel as Channel & ChannelInsides;
  assertHas("channel", channel, { ch: "number", pushConfirmCallback: "function" });
  const { connection } = channel;
  return {
    channel: channel.ch,
    frameMax: connection.frameMax,
    send: (bytes) => connection.sendBytes(bytes),
    onConfirm: (told) => channel.pushConfirmCallback(told),
  };
}

const FRAME_START_BYTES = 7;
const FRAME_OVERHEAD_BYTES = 8;
const FRAME_HEADER = 2;
const CLASS_BASIC = 60;

/** What was read up to now begins with a whole frame. */
const holdsFrame = (bytes: Buffer) =>
  bytes.length >= FRAME_OVERHEAD_BYTES &&
  bytes.length >= bytes.readUInt32BE(3) + FRAME_OVERHEAD_BYTES;

/** Of the first frame. */
const payloadOf = (bytes: Buffer) =>
  bytes.subarray(FRAME_START_BYTES, FRAME_START_BYTES + bytes.readUInt32BE(3));

/**
 * Reads frames in amqplib's place, so that no message can end the connection or the process:
 * - headers that amqplib can't decode, which would close the connection for ever again, come as {@link Undecodable};
 * - a body above `maxBodyBytes` is dropped as it comes, and the message has an empty one ({@link Oddity});
 * - a correlation id that is no UTF-8 comes as the Buffer that it is.
 */
export function guardDeliveries(model: ChannelModel, maxBodyBytes: number): void {
  const connection = insidesOf(model);
  const { stream } = connection;
  const decodeNext = connection.recvFrame.bind(connection);
  /** By channel, the headers whose bodies are being dropped. */
  const dropping = new Map<number, { header: Frame; leftBytes: number }>();

  function decodeHeader(bytes: Buffer): Frame {
    try {
      const frame = decodeNext() as Frame;
      const { fields } = frame;
      if (fields !== undefined && isBroken(fields.correlationId))
        fields.correlationId = correlationIdBytes(payloadOf(bytes));
      return frame;
    } catch (error) {
      // The frame itself is broken, not what is in it.
      if (connection.rest === bytes) throw error;
      return {
        id: CLASS_BASIC,
        channel: bytes.readUInt16BE(1),
        size: Number(bytes.readBigUInt64BE(FRAME_START_BYTES + 4)),
        fields: new Undecodable(error as Error, payloadOf(bytes)),
      };
    }
  }

  /** Undefined while the message goes on. */
  function withoutBody(frame: Frame): Frame | undefined {
    const { channel, size, fields, content } = frame;
    if (size !== undefined) {
      if (size <= maxBodyBytes) {
        dropping.delete(channel);
        return frame;
      }
      (fields as Oddity).tooLargeBytes = size;
      // amqplib is given the message when its last byte has come, as one without a body.
      dropping.set(channel, { header: { ...frame, size: 0 }, leftBytes: size });
      return undefined;
    }
    const dropped = content === undefined ? undefined : dropping.get(channel);
    if (dropped === undefined || content === undefined) return frame;
    dropped.leftBytes -= content.length;
    if (dropped.leftBytes > 0) return undefined;
    dropping.delete(channel);
    return dropped.header;
  }

  connection.recvFrame = () => {
    for (;;) {
      const bytes = connection.rest;
      if (!holdsFrame(bytes)) {
        const incoming = stream.read() as Buffer | null;
        if (incoming === null) return false;
        connection.recvSinceLastCheck = true;
        connection.rest = bytes.length === 0 ? incoming : Buffer.concat([bytes, incoming]);
        continue;
      }
      const isHeader = bytes[0] === FRAME_HEADER;
      const frame = isHeader ? decodeHeader(bytes) : decodeNext();
      if (frame === false || (!isHeader && dropping.size === 0)) return frame;
      const complete = withoutBody(frame);
      if (complete !== undefined) return complete;
    }
  };
}

const isBroken = (text: unknown) => typeof text === "string" && text.includes("\ufffd");
