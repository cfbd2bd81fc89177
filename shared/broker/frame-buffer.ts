/** A buffer that frames are written into, and which leaves once for each turn of the event loop. */

const FRAME_END = 0xce;
/** Type, channel, size; and the end. */
const FRAME_START_BYTES = 7;
export const FRAME_OVERHEAD_BYTES = 8;
const CHUNK_BYTES = 64 * 1024;
const TWO_TO_32 = 2 ** 32;

/** More than AMQP's lengths can say: a short string, or the properties of a message. */
export class TooLong extends RangeError {
  override readonly name = "TooLong";
}

const TAG = {
  longString: "S".charCodeAt(0),
  double: "d".charCodeAt(0),
  int8: "b".charCodeAt(0),
  int32: "I".charCodeAt(0),
  int64: "l".charCodeAt(0),
};

export class FrameBuffer {
  readonly #channel: number;
  readonly #send: (bytes: Buffer) => void;
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  /** Up to where it was sent. */
  #sent = 0;
  #scheduled = false;
  /** Up to where it is filled; whoever sets it back takes back what was written since. */
  at = 0;

  /** @param send takes bytes that stay as they are. */
  constructor(channel: number, send: (bytes: Buffer) => void) {
    this.#channel = channel;
    this.#send = send;
  }

  /** What is in it leaves at the end of this turn. */
  flushSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => this.#flush());
  }

  uint8(value: number): void {
    this.#chunk[this.at++] = value;
  }

  bytes(body: Buffer, from: number, to: number): void {
    this.at += body.copy(this.#chunk, this.at, from, to);
  }

  text(value: string): number {
    return this.#chunk.write(value, this.at, "utf8");
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.at === this.#sent) return;
    const bytes = this.#chunk.subarray(this.#sent, this.at);
    this.#sent = this.at;
    this.#send(bytes);
  }

  /** Makes room: what is sent already may still wait in the socket, so it is never written over. */
  reserve(bytes: number): void {
    if (this.#chunk.length - this.at >= bytes) return;
    this.#flush();
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytes));
    this.#sent = this.at = 0;
  }

  startFrame(type: number): number {
    this.#chunk[this.at] = type;
    this.#chunk[this.at + 1] = this.#channel >> 8;
    this.#chunk[this.at + 2] = this.#channel;
    this.at += FRAME_START_BYTES;
    return this.at;
  }

  endFrame(start: number): void {
    this.uint32(this.at - start, start - 4);
    this.#chunk[this.at++] = FRAME_END;
  }

  uint16(value: number): void {
    this.#chunk[this.at] = value >> 8;
    this.#chunk[this.at + 1] = value;
    this.at += 2;
  }

  uint32(value: number, position: number): void {
    this.#chunk[position] = value >>> 24;
    this.#chunk[position + 1] = value >>> 16;
    this.#chunk[position + 2] = value >>> 8;
    this.#chunk[position + 3] = value;
  }

  int64(value: number): void {
    this.uint32(Math.floor(value / TWO_TO_32), this.at);
    this.uint32(value, this.at + 4);
    this.at += 8;
  }

  shortString(value: string | Buffer): void {
    const start = this.at++;
    const bytes = typeof value === "string" ? this.text(value) : value.copy(this.#chunk, this.at);
    if (bytes > 255) {
      const begin = JSON.stringify(value.toString().slice(0, 40));
      throw new TooLong(`${begin}… has ${bytes} bytes of at most 255`);
    }
    this.#chunk[start] = bytes;
    this.at += bytes;
  }

  longString(value: string): void {
    const start = this.at;
    this.at += 4;
    const bytes = this.text(value);
    this.uint32(bytes, start);
    this.at += bytes;
  }

  /** No 16-bit numbers: their tag says "short string" to py-amqp, which Celery reads with. */
  field(value: string | number): void {
    if (typeof value === "string") {
      this.#chunk[this.at++] = TAG.longString;
      this.longString(value);
    } else if (!Number.isInteger(value)) {
      this.#chunk[this.at++] = TAG.double;
      this.at = this.#chunk.writeDoubleBE(value, this.at);
    } else if (value >= -0x80 && value < 0x80) {
      this.#chunk[this.at++] = TAG.int8;
      this.#chunk[this.at++] = value;
    } else if (value >= -0x80000000 && value < 0x80000000) {
      this.#chunk[this.at++] = TAG.int32;
      this.uint32(value, this.at);
      this.at += 4;
    } else {
      this.#chunk[this.at++] = TAG.int64;
      this.int64(value);
    }
  }
}
