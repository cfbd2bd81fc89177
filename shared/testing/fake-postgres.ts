/** A server that speaks the first words of Postgres' protocol and says what a real one would not say on demand. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

const SSL_REQUEST = 80_877_103;

export interface FakePostgres {
  readonly url: string;
  /** What clients sent after their start-up message. */
  readonly sent: Buffer[];
  connections(): number;
  close(): Promise<void>;
}

/** One message of the server: its type and its body. */
export function message(type: string, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, "latin1");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

export const ASKS_CLEARTEXT = message("R", int32(3));
export const ASKS_MD5 = message("R", Buffer.concat([int32(5), Buffer.from("salt")]));
export const asksSasl = (...mechanisms: string[]) =>
  message("R", Buffer.concat([int32(10), Buffer.from(`${mechanisms.join("\0")}\0\0`)]));
export const LETS_IN = Buffer.concat([message("R", int32(0)), message("Z", Buffer.from("I"))]);

/** An ErrorResponse; poolers send these fields and no more. */
export const refuses = (code: string, text: string, severity = "FATAL") =>
  message("E", Buffer.from(`S${severity}\0V${severity}\0C${code}\0M${text}\0\0`));

/** Answers each start-up with `greeting`, each question for TLS with no, and nothing that comes later. */
export async function startFakePostgres(greeting: Buffer | "silent"): Promise<FakePostgres> {
  const sent: Buffer[] = [];
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    let greeted = false;
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
    socket.on("data", (chunk) => {
      if (greeted) sent.push(chunk);
      else if (greeting === "silent") return;
      else if (chunk.readInt32BE(4) === SSL_REQUEST) socket.write("N");
      else {
        greeted = true;
        socket.write(greeting);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `postgres://engine:hunter2@127.0.0.1:${port}/enginedb`,
    sent,
    connections: () => open.size,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
