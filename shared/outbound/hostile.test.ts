/** Servers that mean no good, over real sockets: each ends in its code, in time, and holds no socket afterwards. */
import type { Socket } from "node:net";
import {
  brotliCompressSync,
  constants,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import {
  createOutbound,
  type OutboundCode,
  OutboundError,
  type OutboundOptions,
  type OutboundRequest,
} from "./index.ts";
import { answerOf, type RawServer, serveRaw } from "./raw-server.fixture.ts";

/** Longer than a healthy answer takes on a busy machine, and short for a test. */
const SOON_MS = 300;
const MIB = 1_048_576;

const CAPS: OutboundOptions = {
  allow: ["127.0.0.1:*"],
  maxRawBytes: 64 * 1024,
  maxDecodedBytes: 256 * 1024,
  maxRedirects: 5,
};

async function serve(handle: (socket: Socket, head: string, nth: number) => void) {
  const server = await serveRaw(handle);
  onTestFinished(() => server.close());
  return server;
}

function openOutbound(options: OutboundOptions = {}) {
  const outbound = createOutbound({ ...CAPS, ...options });
  onTestFinished(() => outbound.close());
  return outbound;
}

/** Codes of servers that would have gone on: the guard ends these connections by itself. */
const HOLDS_ON: OutboundCode[] = ["timed_out", "cut_off", "bad_response"];

/** Asks and reads all, and gives the error that comes of it. */
async function failure(
  handle: (socket: Socket, head: string, nth: number) => void,
  options: OutboundOptions = {},
  asked: Partial<OutboundRequest> = {},
): Promise<OutboundError> {
  const server = await serve(handle);
  const outbound = openOutbound(options);
  try {
    const response = await outbound.request({ url: `${server.origin}/a?token=hunter2`, ...asked });
    await response.bytes();
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    expect(error.message).not.toMatch(/hunter2|token|node_modules|ECONN|UND_ERR/);
    // What had come to its end is kept for the next request; the rest is let go of at once.
    if (HOLDS_ON.includes(error.code)) await allClosed(server);
    await outbound.close();
    await allClosed(server);
    expect(server.open.size).toBe(0);
    return error;
  }
  throw new Error("it went well");
}

const allClosed = (server: RawServer) =>
  Promise.all([...server.open].map((it) => new Promise((done) => it.once("close", done))));

/** A body of the coding that decodes to `bytes` zeros. */
const bomb = (pack: (bytes: Buffer) => Buffer, bytes = 40 * MIB) => pack(Buffer.alloc(bytes));
const coded = (coding: string, body: Buffer) => answerOf(body, `content-encoding: ${coding}\r\n`);

const BROTLI_QUICK = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };

/** A write again and again until the other side is gone. */
function drip(socket: Socket, text: string | Buffer, everyMs: number) {
  const timer = setInterval(() => socket.write(text), everyMs);
  socket.on("close", () => clearInterval(timer));
}

/** Writes as much as the other side takes. */
function flood(socket: Socket, text: string | Buffer) {
  const pour = () => {
    while (!socket.destroyed && socket.write(text));
  };
  socket.on("drain", pour);
  pour();
}

const HEAD = "HTTP/1.1 200 OK\r\n";
const MOVED = "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n";
const QUICK = {
  headersTimeoutMs: SOON_MS,
  firstByteTimeoutMs: SOON_MS,
  lastByteTimeoutMs: SOON_MS,
};

const CASES: [
  string,
  OutboundCode,
  (socket: Socket, head: string, nth: number) => void,
  OutboundOptions?,
][] = [
  // Decompression.
  ["a gzip bomb", "too_large", (s) => s.write(coded("gzip", bomb(gzipSync)))],
  [
    "a gzip bomb of many members",
    "too_large",
    (s) =>
      s.write(
        coded("gzip", Buffer.concat(Array<Buffer>(50).fill(gzipSync(Buffer.alloc(MIB / 2))))),
      ),
  ],
  ["a deflate bomb", "too_large", (s) => s.write(coded("deflate", bomb(deflateSync)))],
  ["a bare deflate bomb", "too_large", (s) => s.write(coded("deflate", bomb(deflateRawSync)))],
  [
    "a brotli bomb",
    "too_large",
    (s) =>
      s.write(
        coded(
          "br",
          bomb((it) => brotliCompressSync(it, BROTLI_QUICK)),
        ),
      ),
  ],
  [
    "a zstd bomb",
    "too_large",
    (s) =>
      s.write(
        coded(
          "zstd",
          bomb((it) => zstdCompressSync(it)),
        ),
      ),
  ],
  ["a zstd window of 128 MB", "bad_encoding", (s) => s.write(coded("zstd", zstdWindow(27)))],
  [
    "a gzip in a gzip",
    "bad_encoding",
    (s) => s.write(coded("gzip, gzip", gzipSync(bomb(gzipSync, MIB)))),
  ],
  ["an unknown coding", "bad_encoding", (s) => s.write(coded("compress", Buffer.from("x")))],
  ["a coding of Object's", "bad_encoding", (s) => s.write(coded("constructor", Buffer.from("x")))],
  ["no gzip after all", "bad_encoding", (s) => s.write(coded("gzip", Buffer.from("<html>")))],
  [
    "a gzip cut short",
    "bad_encoding",
    (s) => s.write(coded("gzip", gzipSync("x".repeat(999)).subarray(0, 20))),
  ],
  [
    "a gzip with a wrong checksum",
    "bad_encoding",
    (s) => s.write(coded("gzip", broken(gzipSync("hello")))),
  ],
  ["no zstd after all", "bad_encoding", (s) => s.write(coded("zstd", Buffer.from("<html>")))],
  ["no brotli after all", "bad_encoding", (s) => s.write(coded("br", Buffer.alloc(64, 255)))],
  // Size.
  ["a body over the cap", "too_large", (s) => s.write(answerOf("x".repeat(64 * 1024 + 1)))],
  [
    "a length over the cap, before a byte of it",
    "too_large",
    (s) => s.write(`${HEAD}content-length: 999999999999\r\n\r\n`),
  ],
  [
    "a body without an end",
    "too_large",
    (s) => {
      s.write(`${HEAD}\r\n`);
      flood(s, "x".repeat(16_384));
    },
  ],
  [
    "chunks without an end",
    "too_large",
    (s) => {
      s.write(`${HEAD}transfer-encoding: chunked\r\n\r\n`);
      flood(s, `4000\r\n${"x".repeat(0x4000)}\r\n`);
    },
  ],
  ["a header of 1 MB", "too_large", (s) => s.write(`${HEAD}x: ${"x".repeat(MIB)}\r\n\r\n`)],
  [
    "headers without an end",
    "too_large",
    (s) => {
      s.write(HEAD);
      flood(s, `x-header: ${"x".repeat(1_000)}\r\n`);
    },
  ],
  // Time.
  ["no answer", "timed_out", () => {}, QUICK],
  [
    "a header's byte now and then",
    "timed_out",
    (s) => {
      s.write(`${HEAD}x: `);
      drip(s, "y", 20);
    },
    QUICK,
  ],
  ["no first byte", "timed_out", (s) => s.write(`${HEAD}content-length: 5\r\n\r\n`), QUICK],
  [
    "a byte now and then",
    "timed_out",
    (s) => {
      s.write(`${HEAD}content-length: 5000\r\n\r\n`);
      drip(s, "y", 20);
    },
    QUICK,
  ],
  [
    "a byte of gzip now and then",
    "timed_out",
    (s) => {
      s.write(`${HEAD}content-encoding: gzip\r\ncontent-length: 5000\r\n\r\n`);
      // The head of a file, and of a block that is stored as it is.
      s.write(Buffer.concat([gzipSync("").subarray(0, 10), Buffer.from("01ffff0000", "hex")]));
      drip(s, "y", 20);
    },
    QUICK,
  ],
  [
    "chunks of nothing in their extensions",
    "timed_out",
    (s) => {
      s.write(`${HEAD}transfer-encoding: chunked\r\n\r\n`);
      drip(s, ";x=y", 20);
      s.write("1");
    },
    QUICK,
  ],
  [
    "an answer that is a little late each time",
    "timed_out",
    (s, _, n) => {
      setTimeout(() => s.write(`${MOVED}connection: close\r\nlocation: /${n}\r\n\r\n`), 200);
    },
    { totalTimeoutMs: 500, headersTimeoutMs: 400 },
  ],
  // Redirects.
  [
    "a redirect to itself",
    "too_many_redirects",
    (s) => s.write(`${MOVED}location: /a?token=hunter2\r\n\r\n`),
  ],
  [
    "a redirect to the same with a fragment each time",
    "too_many_redirects",
    (s, _, n) => s.write(`${MOVED}location: /a#${n}\r\n\r\n`),
  ],
  [
    "a ring of two",
    "too_many_redirects",
    (s, head) => s.write(`${MOVED}location: ${head.startsWith("GET /b") ? "/c" : "/b"}\r\n\r\n`),
  ],
  [
    "redirects without an end",
    "too_many_redirects",
    (s, _, n) => s.write(`${MOVED}location: /${n}\r\n\r\n`),
  ],
  ["an empty location", "bad_redirect", (s) => s.write(`${MOVED}location: \r\n\r\n`)],
  ["no location", "bad_redirect", (s) => s.write(`${MOVED}\r\n`)],
  ["two locations", "bad_redirect", (s) => s.write(`${MOVED}location: /x\r\nlocation: /y\r\n\r\n`)],
  [
    "a location of 32 kB",
    "too_large",
    (s) => s.write(`${MOVED}location: /${"x".repeat(32_768)}\r\n\r\n`),
  ],
  [
    "a location of 10 kB",
    "bad_url",
    (s) => s.write(`${MOVED}location: /${"x".repeat(10_000)}\r\n\r\n`),
  ],
  [
    "a redirect to a private address",
    "blocked_address",
    (s) => s.write(`${MOVED}location: http://10.0.0.1/\r\n\r\n`),
    { http: true },
  ],
  [
    "a redirect to loopback, written otherwise",
    "blocked_address",
    (s) => s.write(`${MOVED}location: //0x7f.2/\r\n\r\n`),
    { http: true },
  ],
  [
    "a redirect to metadata",
    "blocked_address",
    (s) => s.write(`${MOVED}location: http://[::ffff:169.254.169.254]/latest\r\n\r\n`),
    { http: true },
  ],
  [
    "a redirect to a name of the cluster",
    "blocked_host",
    (s) => s.write(`${MOVED}location: https://redis.prod.svc/\r\n\r\n`),
  ],
  [
    "a redirect to a file",
    "blocked_scheme",
    (s) => s.write(`${MOVED}location: file:///etc/passwd\r\n\r\n`),
  ],
  [
    "a redirect with a password",
    "user_info",
    (s) => s.write(`${MOVED}location: https://a:b@example.com/\r\n\r\n`),
  ],
  [
    "a redirect to another port",
    "blocked_port",
    (s) => s.write(`${MOVED}location: https://8.8.8.8:22/\r\n\r\n`),
  ],
  [
    "a redirect whose body has no end",
    "blocked_scheme",
    (s) => {
      s.write("HTTP/1.1 302 Found\r\nlocation: ftp://x\r\n\r\n");
      flood(s, "x".repeat(16_384));
    },
  ],
  // Endings and lies.
  ["a hang-up before the answer", "cut_off", (s) => s.destroy()],
  ["a hang-up in the headers", "cut_off", (s) => s.end(`${HEAD}content-le`)],
  [
    "a reset in the body",
    "cut_off",
    (s) => {
      s.write(`${HEAD}content-length: 99\r\n\r\nhalf`, () => s.resetAndDestroy());
    },
  ],
  ["a length that is too long", "cut_off", (s) => s.end(`${HEAD}content-length: 99\r\n\r\nhalf`)],
  [
    "chunks that stop",
    "cut_off",
    (s) => s.end(`${HEAD}transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n`),
  ],
  [
    "a chunk's length that is none",
    "bad_response",
    (s) => s.write(`${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\nhalf\r\n`),
  ],
  [
    "two lengths",
    "cut_off",
    (s) => s.write(`${HEAD}content-length: 4\r\ncontent-length: 5\r\n\r\nhalf!`),
  ],
  ["a length below zero", "bad_response", (s) => s.write(`${HEAD}content-length: -1\r\n\r\n`)],
  [
    "a length and chunks",
    "cut_off",
    (s) => s.write(`${HEAD}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`),
  ],
  ["no HTTP", "bad_response", (s) => s.write("220 mail.example.com ESMTP\r\n")],
  [
    "HTTP/2 unasked",
    "bad_response",
    (s) => s.write(Buffer.from("000012040000000000000300000080000400010000000500ffffff", "hex")),
  ],
  ["a status of four digits", "bad_response", (s) => s.write("HTTP/1.1 2000 OK\r\n\r\n")],
  ["a NUL in a header", "bad_response", (s) => s.write(`${HEAD}x: a\0b\r\n\r\n`)],
  [
    "early hints without an end",
    "bad_response",
    (s) => flood(s, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
  ],
  [
    "a protocol that nobody asked for",
    "cut_off",
    (s) => s.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
  ],
  ["a continue that nobody asked for", "cut_off", (s) => s.write("HTTP/1.1 100 Continue\r\n\r\n")],
];

test.each(CASES)("%s: %s", async (_, code, handle, options) => {
  const rss = process.memoryUsage().rss;
  const error = await failure(handle, options);
  expect([error.code, error.message, error.cause]).toEqual([code, error.message, error.cause]);
  expect(process.memoryUsage().rss - rss).toBeLessThan(200 * MIB);
});

test("what comes is counted before it is decoded, and the message says the cap", async () => {
  const { message } = await failure(
    (socket) => {
      socket.write(`${HEAD}\r\n`);
      flood(socket, "x".repeat(16_384));
    },
    { maxDecodedBytes: 2 ** 30 },
  );
  expect(message).toBe("the answer's body is larger than 65536 bytes");
});

test("there are thirty of them at least", () => {
  expect(new Set(CASES.map(([name]) => name)).size).toBeGreaterThanOrEqual(30);
});

/** A frame's header that asks for a window of 2 ** log bytes (RFC 8878). */
function zstdWindow(log: number): Buffer {
  const block = Buffer.from("010000", "hex");
  return Buffer.concat([Buffer.from("28b52ffd", "hex"), Buffer.of(0, (log - 10) << 3), block]);
}

function broken(packed: Buffer): Buffer {
  const copy = Buffer.from(packed);
  copy.writeUInt32LE(copy.readUInt32LE(copy.length - 8) ^ 1, copy.length - 8);
  return copy;
}
