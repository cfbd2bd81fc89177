/** The answer to a request: its body is read within the caps and the deadlines, as far as the caller wants it. */
import type { Readable } from "node:stream";
import type { Deadlines } from "./deadlines.ts";
import { decode, decoderFor } from "./decode.ts";
import { OutboundError } from "./errors.ts";
import { explain } from "./explain.ts";

export interface SizeLimits {
  /** Bytes of a body as they come over the line; 5 MiB by default. */
  maxRawBytes: number;
  /** Bytes of a body once decoded; 10 MiB by default. */
  maxDecodedBytes: number;
}

/** As undici gives it. */
export interface Answer {
  statusCode: number;
  headers: Record<string, string | string[] | undefined>;
  body: Readable;
}

/** What is read of an unwanted body, so that its connection can serve again. */
const MAX_DISCARDED_BYTES = 65_536;

/**
 * An answer whose body is still to be read, dropped (`discard`) or closed (`close`, `await using`). Until then
 * it holds a connection; the deadlines end it for a caller who forgets.
 */
export class OutboundResponse {
  readonly status: number;
  /** Names in lower case; an array where a header came several times. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Where the answer came from, after redirects. */
  readonly url: string;
  /** How many redirects led there. */
  readonly redirects: number;
  readonly #raw: Readable;
  readonly #body: AsyncGenerator<Buffer>;
  readonly #deadlines: Deadlines;

  /** @throws {OutboundError} `too_large` for a length that is said to be, `bad_encoding`. */
  constructor(
    { statusCode, headers, body }: Answer,
    from: { url: string; redirects: number; isHead: boolean },
    limits: SizeLimits,
    deadlines: Deadlines,
  ) {
    this.status = statusCode;
    this.headers = headers;
    this.url = from.url;
    this.redirects = from.redirects;
    this.#raw = body;
    this.#deadlines = deadlines;
    if (!from.isHead && Number(first(headers["content-length"])) > limits.maxRawBytes)
      throw tooLarge(limits.maxRawBytes);
    const decoder = decoderFor([headers["content-encoding"] ?? ""].flat().join(","));
    const raw = readRaw(body, limits.maxRawBytes, deadlines);
    this.#body = this.#read(decoder ? decode(raw, decoder) : raw, limits.maxDecodedBytes);
    deadlines.enter("first byte");
  }

  /** A header's first value. */
  header(name: string): string | undefined {
    return first(this.headers[name]);
  }

  /**
   * The decoded body, piece by piece, once. Leaving the loop early closes the connection.
   * @throws {OutboundError} while it is read: `too_large`, `timed_out`, `bad_encoding`, `cut_off`, `bad_response`, `aborted`.
   */
  get body(): AsyncIterable<Buffer> {
    return this.#body;
  }

  /** The whole body; what it throws is what reading `body` does. */
  async bytes(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.#body) chunks.push(chunk);
    return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
  }

  /** Drops the body, and keeps the connection for the next request where little is left of it. Never throws. */
  async discard(): Promise<void> {
    let bytes = 0;
    try {
      for await (const chunk of this.#raw) {
        bytes += (chunk as Buffer).length;
        if (bytes > MAX_DISCARDED_BYTES) break;
      }
    } catch {
      // Nobody wanted it.
    } finally {
      this.close();
    }
  }

  /** Ends it at once, with its connection unless the body has been read. */
  close(): void {
    this.#deadlines.stop();
    this.#raw.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  async *#read(source: AsyncGenerator<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
    let bytes = 0;
    try {
      for await (const chunk of source) {
        bytes += chunk.length;
        if (bytes > maxBytes) throw tooLarge(maxBytes);
        yield chunk;
      }
    } catch (error) {
      throw explain(error, this.#deadlines.signal);
    } finally {
      this.close();
    }
  }
}

async function* readRaw(
  body: Readable,
  maxBytes: number,
  deadlines: Deadlines,
): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (bytes === 0) deadlines.enter("last byte");
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    yield chunk;
  }
}

const first = (value: string | string[] | undefined) => (Array.isArray(value) ? value[0] : value);

const tooLarge = (maxBytes: number) =>
  new OutboundError("too_large", `the answer's body is larger than ${maxBytes} bytes`);
