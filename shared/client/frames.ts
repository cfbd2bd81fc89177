/** Cuts what a socket delivers into AMQP frames, of whatever size and over however many segments. */

/** Type (1 byte), channel (2) and size (4) before the payload, one byte after it. */
const HEADER_BYTES = 7;
const END_BYTES = 1;
const END = 0xce;
/** Brokers send frames as large as the publisher's were; more than this is no frame but a broken stream. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;

export const FRAME_TYPE = { method: 1, header: 2, body: 3 } as const;

/** The peer sent what no AMQP 0-9-1 broker sends. */
export class NotAmqp extends Error {
  override readonly name = "NotAmqp";
}

export class FrameReader {
  #parts: Buffer[] = [];
  #bytes = 0;
  /** No frame can be whole before so many bytes are there. */
  #neededBytes = HEADER_BYTES + END_BYTES;
  #greeted = false;

  /** Calls `onFrame` for each frame that is whole by now. Throws {@link NotAmqp}. */
  take(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    if (!this.#greeted) checkGreeting(chunk);
    this.#greeted = true;
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < this.#neededBytes) return;
    const data = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#bytes);
    this.#neededBytes = HEADER_BYTES + END_BYTES;
    let at = 0;
    while (data.length - at >= HEADER_BYTES) {
      const size = HEADER_BYTES + data.readUInt32BE(at + 3) + END_BYTES;
      if (size > MAX_FRAME_BYTES) throw new NotAmqp(`a frame of ${size} bytes`);
      this.#neededBytes = size;
      if (data.length - at < size) break;
      const frame = data.subarray(at, at + size);
      if (frame[size - END_BYTES] !== END) throw new NotAmqp("a frame without its end");
      at += size;
      this.#neededBytes = HEADER_BYTES + END_BYTES;
      onFrame(frame);
    }
    this.#parts = at === data.length ? [] : [data.subarray(at)];
    this.#bytes = data.length - at;
  }
}

/** A broker's first frame is a method; anything else is another protocol, and worth naming. */
function checkGreeting(chunk: Buffer): void {
  if (chunk[0] === FRAME_TYPE.method) return;
  const text = chunk.toString("latin1", 0, 8);
  if (text.startsWith("HTTP/")) throw new NotAmqp("the port answers in HTTP");
  if (text.startsWith("AMQP")) throw new NotAmqp("the port wants another version of AMQP");
  // A TLS alert or handshake record.
  if (chunk[0] === 0x15 || chunk[0] === 0x16) throw new NotAmqp("the port wants TLS: amqps://");
  throw new NotAmqp("the port does not answer in AMQP");
}
