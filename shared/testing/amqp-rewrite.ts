/** Stands between a client and a broker, and changes single frames of AMQP: what another broker would say. */
import { once } from "node:events";
import { createServer, type Socket, connect as tcpConnect } from "node:net";
import { splitter } from "./amqp-mute.ts";

const PROTOCOL_HEADER_BYTES = 8;
const FRAME_END = 0xce;

/** Class and method of a method frame, two bytes each: 0x003c0028 is basic.publish. */
export const methodOf = (frame: Buffer) => (frame[0] === 1 ? frame.readUInt32BE(7) : undefined);
export const channelOf = (frame: Buffer) => frame.readUInt16BE(1);

export function frameOf(type: number, channel: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(7);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([FRAME_END])]);
}

/** channel.close, as a broker sends it. */
export function channelClose(channel: number, code: number, text: string): Buffer {
  const fixed = Buffer.alloc(7);
  fixed.writeUInt32BE(0x00140028, 0);
  fixed.writeUInt16BE(code, 4);
  fixed.writeUInt8(text.length, 6);
  return frameOf(1, channel, Buffer.concat([fixed, Buffer.from(text), Buffer.alloc(4)]));
}

export interface Rules {
  /** What the broker gets in place of a client's frame; `answer` sends the client one. */
  up?(frame: Buffer, answer: (frame: Buffer) => void): Buffer | undefined;
  /** What the client gets in place of a broker's frame. */
  down?(frame: Buffer): Buffer | undefined;
}

export interface Rewriter {
  url: string;
  /** Connections so far. */
  opened(): number;
  close(): Promise<void>;
}

/** @param rulesOf is asked once for each connection. */
export async function rewriteBefore(amqpUrl: string, rulesOf: () => Rules): Promise<Rewriter> {
  const through = new URL(amqpUrl);
  const { hostname: host } = through;
  const port = Number(through.port || 5672);
  const sockets = new Set<Socket>();
  let opened = 0;
  const server = createServer({ noDelay: true }, (client) => {
    opened++;
    const { up = (frame) => frame, down = (frame) => frame } = rulesOf();
    const broker = tcpConnect({ host, port, noDelay: true });
    for (const socket of [client, broker]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        broker.destroy();
      });
    }
    const [sent, received] = [splitter(), splitter()];
    let isBegun = false;
    client.on("data", (chunk) => {
      let bytes = chunk as Buffer;
      if (!isBegun) {
        isBegun = true;
        broker.write(bytes.subarray(0, PROTOCOL_HEADER_BYTES));
        bytes = bytes.subarray(PROTOCOL_HEADER_BYTES);
      }
      for (const frame of sent(bytes)) {
        const passing = up(frame, (answer) => client.write(answer));
        if (passing !== undefined) broker.write(passing);
      }
    });
    broker.on("data", (chunk) => {
      for (const frame of received(chunk as Buffer)) {
        const passing = down(frame);
        if (passing !== undefined) client.write(passing);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  through.hostname = "127.0.0.1";
  through.port = String((server.address() as { port: number }).port);
  return {
    url: through.href,
    opened: () => opened,
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}
