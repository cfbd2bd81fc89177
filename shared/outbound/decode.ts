/** Undoes the content coding of an answer, in a bounded part of the memory. */
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from "node:zlib";
import { OutboundError } from "./errors.ts";

/** What `accept-encoding` says unless the caller says something else. */
export const ACCEPTED_CODINGS = "gzip, deflate, br, zstd";

/** As RFC 9659 asks of content codings; a frame may otherwise claim 128 MB before its first byte. */
const ZSTD_PARAMETERS = { [constants.ZSTD_d_windowLogMax]: 23 };
/** The method in the first byte of zlib's format (RFC 1950): deflate, the only one there is. */
const ZLIB_METHOD = 8;

type Decoder = (start: Buffer) => Duplex;

const gunzip = () => createGunzip();
const DECODERS: Record<string, Decoder> = {
  gzip: gunzip,
  "x-gzip": gunzip,
  // By RFC 9110 in zlib's format, and many servers send it bare.
  deflate: ([first = 0]) => ((first & 0x0f) === ZLIB_METHOD ? createInflate() : createInflateRaw()),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress({ params: ZSTD_PARAMETERS }),
};

/**
 * What undoes a `content-encoding`; undefined where nothing is coded.
 * @throws {OutboundError} `bad_encoding` for a coding that is not known, and for several: each multiplies
 * what a bomb can hold, and no server needs two.
 */
export function decoderFor(contentEncoding: string): Decoder | undefined {
  const codings = contentEncoding
    .toLowerCase()
    .split(",")
    .map((it) => it.trim())
    .filter((it) => it !== "" && it !== "identity");
  const [coding] = codings;
  if (coding === undefined) return undefined;
  const decoder = Object.hasOwn(DECODERS, coding) ? DECODERS[coding] : undefined;
  if (!decoder || codings.length > 1)
    throw new OutboundError("bad_encoding", "the answer's content coding is none that is known");
  return decoder;
}

/** Decodes as far as it is read: what nobody takes is not decoded. */
export async function* decode(
  source: AsyncIterator<Buffer>,
  decoder: Decoder,
): AsyncGenerator<Buffer> {
  const first = await source.next();
  if (first.done) return;
  const decoding = decoder(first.value);
  const feeding = pipeline(async function* () {
    yield first.value;
    for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
  }, decoding);
  // Its error comes out of `decoding` as well.
  feeding.catch(() => {});
  try {
    yield* decoding;
  } finally {
    decoding.destroy();
  }
}
