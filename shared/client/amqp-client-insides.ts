/**
 * All that the client reaches of @cloudamqp/amqp-client beyond its documented API, in one place. The
 * library's version is pinned for it, and {@link checkInsides} says so where another one is installed.
 */
import { AMQPClient } from "@cloudamqp/amqp-client";
import { VERSION } from "@cloudamqp/amqp-client/amqp-base-client";
import type { Field } from "@cloudamqp/amqp-client/amqp-properties";
import { AMQPView } from "@cloudamqp/amqp-client/amqp-view";
import { FRAME_TYPE, FrameReader } from "./frames.ts";

/** What this file was written against; the package's manifest pins the same. */
export const MADE_FOR = "4.1.1";

/** The members that are called or replaced here, of a client that is not connected yet. */
const MEMBERS = {
  onRead: "function",
  parseFrames: "function",
  connectSocket: "function",
  send: "function",
  bufferPool: "object",
} as const;

/** Throws a clear error where the library is not the one that this file was written against. */
export function checkInsides(client: object, version: string = VERSION): void {
  const isOther = (name: string, type: string) => typeof Reflect.get(client, name) !== type;
  const missing = Object.entries(MEMBERS).filter(([name, type]) => isOther(name, type));
  if (missing.length === 0) return;
  throw new Error(
    `@cloudamqp/amqp-client ${version} has no ${missing.map(([name]) => name).join(", ")}: install ${MADE_FOR}, which @tl-engine/client is made for`,
  );
}

/** The reply code that the library puts at the end of its message, and nowhere else: 404 etc.; 0 if none. */
export function brokerCode(error: unknown): number {
  const found = error instanceof Error ? /\((\d{3})\)$/.exec(error.message) : undefined;
  return found ? Number(found[1]) : 0;
}

/** The broker's `basic.nack`, which the library tells from other failures by its words alone. */
export function isNack(error: unknown): boolean {
  return error instanceof Error && error.message === "Message rejected";
}

/**
 * Only the message of a library's error: the error itself holds its connection, password and all, and
 * would be printed with it.
 */
export function plain(error: unknown): Error {
  return new Error(error instanceof Error ? error.message : String(error));
}

const NESTED = new Set(["A".charCodeAt(0), "F".charCodeAt(0)]);

/**
 * A frame whose headers never fail. The library's own reader throws at a field of a type it doesn't
 * know and recurses into nested ones, as deep as a sender likes. Here nested ones, which the client
 * has no use for, are stepped over, and what can't be read is left out.
 */
class FrameView extends AMQPView {
  unreadable: Error | undefined;

  override getTable(byteOffset: number): [Record<string, Field>, number] {
    const table: Record<string, Field> = {};
    const bytes = 4 + this.getUint32(byteOffset);
    const end = byteOffset + bytes;
    try {
      for (let at = byteOffset + 4; at < end; ) {
        const [name, nameBytes] = this.getShortString(at);
        at += nameBytes;
        if (NESTED.has(this.getUint8(at))) {
          at += 5 + this.getUint32(at + 1);
          continue;
        }
        const [value, valueBytes] = this.getField(at);
        at += valueBytes;
        if (at > end) throw new RangeError(`the field ${name} ends after its table`);
        table[name] = value;
      }
    } catch (error) {
      this.unreadable = plain(error);
    }
    return [table, bytes];
  }
}

const viewOf = (frame: Buffer) => new FrameView(frame.buffer, frame.byteOffset, frame.length);

/** The same header without any property: class, weight and body size are its first 12 bytes. */
function withoutProperties(frame: Buffer): Buffer {
  const bare = Buffer.alloc(7 + 12 + 2 + 1);
  frame.copy(bare, 0, 0, 7 + 12);
  bare.writeUInt32BE(12 + 2, 3);
  bare[bare.length - 1] = frame[frame.length - 1] as number;
  return bare;
}

/** The library's client, hardened where it would crash the process or wait for ever. */
export class HardenedClient extends AMQPClient {
  /** Why the socket was destroyed or broke, as it was thrown: the library keeps only the message. */
  failure: unknown;
  /** Told of a message whose properties could not all be read; it is delivered without them. */
  onUnreadable: ((error: Error) => void) | undefined;
  readonly #frames = new FrameReader();

  constructor(url: string) {
    super(url);
    checkInsides(this);
    // A URL puts an IPv6 address in brackets, a socket doesn't.
    Object.assign(this, { host: this.host.replace(/^\[(.*)\]$/, "$1") });
    const free: AMQPView[] = [];
    const replace = (name: keyof typeof MEMBERS, value: unknown) =>
      Object.defineProperty(this, name, { value, enumerable: false });
    // The library's own reader has room for frames of its frame_max only; brokers pass on larger headers.
    replace("onRead", (chunk: Buffer) => this.#read(chunk));
    // The library's own pool keeps every large buffer, and takes one back while the socket still reads it.
    replace("bufferPool", {
      pop: () => free.pop(),
      push: (buffer: AMQPView) => {
        if (buffer.byteLength <= this.frameMax && this.socket?.writableLength === 0)
          free.push(buffer);
      },
    });
  }

  override connect(): ReturnType<AMQPClient["connect"]> {
    const connected = super.connect();
    // Or else the second of two publishes waits for the broker's answer to the first.
    this.socket?.setNoDelay(true);
    this.socket?.once("error", (error) => {
      this.failure ??= error;
    });
    return connected;
  }

  /** Bytes received so far; when they stand still while confirms are due, the peer is gone. */
  get bytesRead(): number {
    return this.socket?.bytesRead ?? 0;
  }

  /**
   * Settles at once and never rejects. While a write is under way the library leaves a publish's
   * confirm without anyone who listens: a channel that closes meanwhile, or a write that fails, would
   * end the process. A socket that fails is destroyed instead, which settles all that waits, once.
   */
  override async send(bytes: Uint8Array): Promise<void> {
    const { socket } = this;
    // What is sent in one turn of the event loop goes out as one.
    if (socket && socket.writableCorked === 0) {
      socket.cork();
      setImmediate(() => socket.uncork());
    }
    super.send(bytes).catch((error) => this.destroy(error));
  }

  destroy(cause?: unknown): void {
    this.failure ??= cause;
    this.socket?.destroy(cause instanceof Error ? plain(cause) : undefined);
  }

  /** What can't be read ends the connection, not the process. */
  #read(chunk: Buffer): void {
    try {
      this.#frames.take(chunk, (frame) => {
        if (this.socket && !this.socket.destroyed) this.#handle(frame);
      });
    } catch (error) {
      this.destroy(error);
    }
  }

  #handle(frame: Buffer): void {
    const view = viewOf(frame);
    try {
      this.parseFrames(view);
    } catch (error) {
      if (frame[0] !== FRAME_TYPE.header) throw error;
      view.unreadable = plain(error);
      this.parseFrames(viewOf(withoutProperties(frame)));
    }
    if (view.unreadable) this.onUnreadable?.(view.unreadable);
  }
}
