/** A name server of a test's own over UDP: it answers as it is told, and anew at each question. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIP } from "node:net";

const CODES = { NXDOMAIN: 3, SERVFAIL: 2, REFUSED: 5 };
const A = 1;
const CNAME = 5;
const AAAA = 28;

/** Addresses, `CNAME other.name` before them, a code, or `SILENT`. */
type Say = string[] | keyof typeof CODES | "SILENT";

/** A fixed answer, or one made for the n-th question (from 0) of a kind, after a while. */
export type ZoneEntry = Say | ((nth: number, type: "A" | "AAAA") => Say | Promise<Say>);

export interface DnsServer {
  /** For the resolver. */
  address: string;
  /** Names that were asked for, with the type. */
  asked: string[];
  close(): void;
}

export async function serveDns(zone: Record<string, ZoneEntry>): Promise<DnsServer> {
  const socket = createSocket("udp4");
  const asked: string[] = [];
  socket.on("message", async (query, from) => {
    const { name, type, end } = readQuestion(query);
    const kind = type === AAAA ? "AAAA" : "A";
    const nth = asked.filter((it) => it === `${kind} ${name}`).length;
    asked.push(`${kind} ${name}`);
    const entry = Object.hasOwn(zone, name) ? zone[name] : undefined;
    const say = typeof entry === "function" ? await entry(nth, kind) : (entry ?? "NXDOMAIN");
    if (say === "SILENT") return;
    socket.send(answer(query, end, type, name, say), from.port, from.address, () => {});
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    close: () => socket.close(),
  };
}

function readQuestion(query: Buffer) {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += length + 1;
  }
  return {
    name: labels.join(".").toLowerCase(),
    type: query.readUInt16BE(at + 1),
    end: at + 5,
  };
}

function answer(query: Buffer, end: number, type: number, name: string, say: Say): Buffer {
  const records = typeof say === "string" ? [] : recordsOf(say, type, name);
  const head = Buffer.alloc(12);
  query.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x8180 | (typeof say === "string" ? (CODES[say as "NXDOMAIN"] ?? 0) : 0), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, query.subarray(12, end), ...records]);
}

function recordsOf(say: string[], type: number, name: string): Buffer[] {
  let owner = name;
  return say.flatMap((it) => {
    if (it.startsWith("CNAME ")) {
      const from = owner;
      owner = it.slice("CNAME ".length);
      return [record(from, CNAME, nameBytes(owner))];
    }
    if (type !== (isIP(it) === 4 ? A : AAAA)) return [];
    return [record(owner, type, isIP(it) === 4 ? ipv4Bytes(it) : ipv6Bytes(it))];
  });
}

function record(owner: string, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  // A time to live of none: whoever asks again is told anew.
  fixed.writeUInt32BE(0, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([nameBytes(owner), fixed, data]);
}

const nameBytes = (name: string) =>
  Buffer.concat([
    ...name.split(".").map((it) => Buffer.from([it.length, ...Buffer.from(it, "latin1")])),
    Buffer.of(0),
  ]);

const ipv4Bytes = (address: string) => Buffer.from(address.split(".").map(Number));

function ipv6Bytes(address: string): Buffer {
  const dotted = /[^:]+\.[^:]+$/.exec(address)?.[0];
  const hex = dotted ? ipv4Bytes(dotted).toString("hex").replace(/^.{4}/, "$&:") : "";
  const whole = dotted ? address.slice(0, -dotted.length) + hex : address;
  const [left = "", right = ""] = whole.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const zeros = 8 - groups(left).length - groups(right).length;
  const all = whole.includes("::")
    ? [...groups(left), ...Array<string>(zeros).fill("0"), ...groups(right)]
    : groups(left);
  return Buffer.from(all.map((it) => it.padStart(4, "0")).join(""), "hex");
}
