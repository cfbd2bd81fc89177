/** Asks a port by hand what it speaks, and why it takes no connection: amqplib passes on neither. */
import { connect, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { userOf, vhostOf } from "./address.ts";

/** What a port answers with: `nothing` within the time, or the connection's end. */
export type Spoken = "tls" | "http" | "amqp" | "nothing" | "else";

/** The broker's own words at the end of a handshake. */
export interface Refusal {
  code: number;
  text: string;
}

const TIMEOUT_MS = 3_000;
const CONNECTION_START = 0x000a000a;
const CONNECTION_TUNE = 0x000a001e;
const CONNECTION_CLOSE = 0x000a0032;
const PROTOCOL_HEADER = Buffer.from("AMQP\0\0\x09\x01", "latin1");

function target(amqpUrl: string) {
  const { protocol, hostname, port } = new URL(amqpUrl);
  const isTls = protocol === "amqps:";
  const host = hostname.replace(/^\[|\]$/g, "");
  return { isTls, host, port: Number(port || (isTls ? 5671 : 5672)) };
}

/** Of a port that would take no AMQP. */
export async function spokenAt(amqpUrl: string): Promise<Spoken> {
  const { host, port } = target(amqpUrl);
  if (await takesTls(host, port)) return "tls";
  const answer = await firstBytes(
    connect({ host, port, timeout: TIMEOUT_MS }),
    Buffer.from("GET / HTTP/1.0\r\n\r\n"),
  );
  if (answer.length === 0) return "nothing";
  const begin = answer.toString("latin1", 0, 4);
  return begin === "HTTP" ? "http" : begin === "AMQP" ? "amqp" : "else";
}

function takesTls(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    // Nothing is sent or believed: it is looked at only.
    const socket = tlsConnect({ host, port, timeout: TIMEOUT_MS, rejectUnauthorized: false });
    const end = (takes: boolean) => {
      socket.destroy();
      resolve(takes);
    };
    socket.once("secureConnect", () => end(true));
    for (const event of ["error", "timeout", "close"]) socket.once(event, () => end(false));
  });
}

function firstBytes(socket: Socket, sent: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    const end = (bytes: Buffer) => {
      socket.destroy();
      resolve(bytes);
    };
    socket.once("connect", () => socket.write(sent));
    socket.once("data", (chunk) => end(chunk as Buffer));
    for (const event of ["error", "timeout", "close"])
      socket.once(event, () => end(Buffer.alloc(0)));
  });
}

/** Goes through the handshake up to where the broker ends it; undefined where it does not, or says nothing. */
export function refusalOf(amqpUrl: string): Promise<Refusal | undefined> {
  const { isTls, host, port } = target(amqpUrl);
  const options = { host, port, timeout: TIMEOUT_MS };
  const socket = isTls ? tlsConnect({ ...options, servername: host }) : connect(options);
  return new Promise((resolve) => {
    const end = (refusal?: Refusal) => {
      socket.destroy();
      resolve(refusal);
    };
    let rest = Buffer.alloc(0);
    socket.once(isTls ? "secureConnect" : "connect", () => socket.write(PROTOCOL_HEADER));
    socket.on("data", (chunk) => {
      rest = Buffer.concat([rest, chunk as Buffer]);
      while (rest.length >= 8 && rest.length >= rest.readUInt32BE(3) + 8) {
        const payload = rest.subarray(7, rest.readUInt32BE(3) + 7);
        rest = rest.subarray(payload.length + 8);
        const method = payload.readUInt32BE(0);
        if (method === CONNECTION_START) socket.write(startOk(amqpUrl));
        else if (method === CONNECTION_TUNE) socket.write(tuneOkAndOpen(payload, amqpUrl));
        else if (method !== CONNECTION_CLOSE) end();
        else end({ code: payload.readUInt16BE(4), text: shortTextAt(payload, 6) });
      }
    });
    for (const event of ["error", "timeout", "close"]) socket.once(event, () => end());
  });
}

const shortTextAt = (bytes: Buffer, at: number) =>
  bytes.toString("utf8", at + 1, at + 1 + bytes.readUInt8(at));

function methodFrame(method: number, ...parts: (string | Buffer)[]): Buffer {
  const payload = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  const frame = Buffer.alloc(12 + payload.length);
  frame.writeUInt8(1, 0);
  frame.writeUInt32BE(4 + payload.length, 3);
  frame.writeUInt32BE(method, 7);
  payload.copy(frame, 11);
  frame.writeUInt8(0xce, frame.length - 1);
  return frame;
}

const shortText = (text: string) =>
  Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);

function longText(text: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(text));
  return Buffer.concat([length, Buffer.from(text)]);
}

function startOk(amqpUrl: string): Buffer {
  const { username, password } = userOf(new URL(amqpUrl)) ?? {
    username: "guest",
    password: "guest",
  };
  const response = longText(`\0${username}\0${password}`);
  return methodFrame(0x000a000b, Buffer.alloc(4), shortText("PLAIN"), response, shortText("en_US"));
}

/** What the broker proposes is taken as it is. */
function tuneOkAndOpen(tune: Buffer, amqpUrl: string): Buffer {
  const open = methodFrame(0x000a0028, shortText(vhostOf(amqpUrl)), "\0\0");
  return Buffer.concat([methodFrame(0x000a001f, tune.subarray(4)), open]);
}
