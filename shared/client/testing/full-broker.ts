/** A relay before a real broker that refuses publishes as LavinMQ does when its disk is full. */
import { once } from "node:events";
import { createServer, type Socket, connect as tcpConnect } from "node:net";
import { FrameReader } from "../frames.ts";

const PROTOCOL_HEADER_BYTES = 8;
/** Class and method, two bytes each. */
const CHANNEL_CLOSE = 0x00140028;
const CHANNEL_CLOSE_OK = 0x00140029;
const PUBLISH = 0x003c0028;

export interface FullBroker {
  readonly url: string;
  /** While it is full, each publish closes its channel with this text. */
  isFull: boolean;
  text: string;
  /** When each publish was refused. */
  readonly refusedAt: number[];
  close(): void;
}

export async function startFullBroker(amqpUrl: string): Promise<FullBroker> {
  const target = new URL(amqpUrl);
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const service = tcpConnect({ host: target.hostname, port: Number(target.port), noDelay: true });
    for (const socket of [client, service]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    client.on("close", () => service.destroy());
    service.on("close", () => client.destroy());
    relay(client, service, broker);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(amqpUrl);
  url.port = String((server.address() as { port: number }).port);
  const broker: FullBroker = {
    url: url.href,
    isFull: false,
    text: "PRECONDITION_FAILED - Server low on disk space, can not publish",
    refusedAt: [],
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  return broker;
}

function relay(client: Socket, service: Socket, broker: FullBroker): void {
  /** Channels that were closed on the client, until it agrees. */
  const closing = new Set<number>();
  /** Channels that we closed on the broker, whose agreement the client must not see. */
  const closed: number[] = [];
  const up = new FrameReader();
  const down = new FrameReader();
  let greeted = false;
  const onFrame = (frame: Buffer) => {
    const channel = frame.readUInt16BE(1);
    const method = frame[0] === 1 ? frame.readUInt32BE(7) : undefined;
    if (closing.has(channel)) {
      if (method === CHANNEL_CLOSE_OK) closing.delete(channel);
    } else if (broker.isFull && method === PUBLISH) {
      broker.refusedAt.push(performance.now());
      closing.add(channel);
      closed.push(channel);
      client.write(closeFrame(channel, 406, broker.text));
      service.write(closeFrame(channel, 200, ""));
    } else service.write(frame);
  };
  client.on("data", (chunk) => {
    if (!greeted) service.write(chunk.subarray(0, PROTOCOL_HEADER_BYTES));
    const frames = greeted ? chunk : chunk.subarray(PROTOCOL_HEADER_BYTES);
    greeted = true;
    if (frames.length > 0) up.take(frames, onFrame);
  });
  service.on("data", (chunk) =>
    down.take(chunk, (frame) => {
      const channel = frame.readUInt16BE(1);
      const isAgreement = frame[0] === 1 && frame.readUInt32BE(7) === CHANNEL_CLOSE_OK;
      const ours = isAgreement ? closed.indexOf(channel) : -1;
      if (ours === -1) client.write(frame);
      else closed.splice(ours, 1);
    }),
  );
}

function closeFrame(channel: number, code: number, text: string): Buffer {
  const payloadBytes = 4 + 2 + 1 + text.length + 4;
  const frame = Buffer.alloc(7 + payloadBytes + 1);
  frame.writeUInt8(1, 0);
  frame.writeUInt16BE(channel, 1);
  frame.writeUInt32BE(payloadBytes, 3);
  frame.writeUInt32BE(CHANNEL_CLOSE, 7);
  frame.writeUInt16BE(code, 11);
  frame.writeUInt8(text.length, 13);
  frame.write(text, 14, "latin1");
  frame[frame.length - 1] = 0xce;
  return frame;
}
