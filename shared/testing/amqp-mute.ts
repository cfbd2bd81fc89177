/** Follows the frames of one AMQP connection from its first byte, and can keep the confirms from its channels. */

const PROTOCOL_HEADER = Buffer.from("AMQP");
const PROTOCOL_HEADER_BYTES = 8;
/** Type (1 byte), channel (2) and size (4) before the payload, one byte after it. */
const FRAME_HEADER_BYTES = 7;
const METHOD_FRAME = 1;
/** Class and method, two bytes each. */
const CHANNEL_OPEN = 0x0014000a;
const BASIC_ACK = 0x003c0050;
const BASIC_NACK = 0x003c0078;
/** Sent in place of a confirm: the broker is alive. */
const HEARTBEAT = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]);

export interface Mute {
  /** From now on no confirm reaches the channels that are open; those that are opened later are not concerned. */
  mute(): void;
  unmute(): void;
  /** What of a chunk may pass on its way to the broker, and from it. */
  up(chunk: Buffer): Buffer;
  down(chunk: Buffer): Buffer;
}

/** Lets everything pass that is not AMQP. */
export function openMute(): Mute {
  const open = new Set<number>();
  let muted = new Set<number>();
  let isAmqp: boolean | undefined;
  const sent = splitter();
  const received = splitter();

  return {
    mute() {
      muted = new Set(open);
    },
    unmute() {
      muted = new Set();
    },
    up(chunk) {
      let frames = chunk;
      if (isAmqp === undefined) {
        isAmqp = chunk.subarray(0, PROTOCOL_HEADER.length).equals(PROTOCOL_HEADER);
        frames = chunk.subarray(PROTOCOL_HEADER_BYTES);
      }
      if (!isAmqp) return chunk;
      for (const frame of sent(frames)) {
        if (methodOf(frame) !== CHANNEL_OPEN) continue;
        open.add(channelOf(frame));
        muted.delete(channelOf(frame));
      }
      return chunk;
    },
    down(chunk) {
      if (!isAmqp) return chunk;
      const passing = received(chunk).map((frame) => {
        const method = methodOf(frame);
        const isConfirm = method === BASIC_ACK || method === BASIC_NACK;
        return isConfirm && muted.has(channelOf(frame)) ? HEARTBEAT : frame;
      });
      return Buffer.concat(passing);
    },
  };
}

const channelOf = (frame: Buffer) => frame.readUInt16BE(1);
const methodOf = (frame: Buffer) =>
  frame[0] === METHOD_FRAME ? frame.readUInt32BE(FRAME_HEADER_BYTES) : undefined;

/** Returns a function that takes the next bytes and gives the frames that are whole by now. */
export function splitter(): (chunk: Buffer) => Buffer[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const frames: Buffer[] = [];
    while (rest.length >= FRAME_HEADER_BYTES) {
      const end = FRAME_HEADER_BYTES + rest.readUInt32BE(3) + 1;
      if (rest.length < end) break;
      frames.push(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
    return frames;
  };
}
