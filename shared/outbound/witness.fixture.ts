/** Listeners that should hear nothing, and note it when they do: the witness that no byte and no greeting got through. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { networkInterfaces } from "node:os";

export interface Witness {
  port: number;
  /** Where each connection arrived, since the start. */
  heard: string[];
  close(): Promise<void>;
}

/** This machine's addresses but loopback's; with a zone where they need one to be reached. */
export const ownAddresses = (): string[] =>
  Object.entries(networkInterfaces()).flatMap(([name, list]) =>
    (list ?? [])
      .filter((it) => !it.internal)
      .map((it) => (it.scopeid ? `${it.address}%${name}` : it.address)),
  );

/** A container may have no IPv6. */
export const HAS_IPV6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ family }) => family === "IPv6"),
);

/** Every address that this machine has. */
export const EVERYWHERE = HAS_IPV6 ? "::" : "0.0.0.0";

/** Hears whatever arrives at the hosts, at one port of all of them. */
export async function listenAt(hosts: readonly string[], port = 0): Promise<Witness> {
  const heard: string[] = [];
  const servers: Server[] = [];
  let shared = port;
  for (const host of hosts) {
    const server = createServer((socket) => {
      heard.push(`${socket.localAddress}`);
      socket
        .on("error", () => {})
        .resume()
        .end("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret");
    });
    server.listen({ host, port: shared });
    await once(server, "listening");
    shared = (server.address() as { port: number }).port;
    servers.push(server);
  }
  return {
    port: shared,
    heard,
    async close() {
      await Promise.all(servers.map((it) => new Promise((done) => it.close(done))));
    },
  };
}

/** Counts the TCP sockets that this process makes as a client: a second witness, for addresses that nobody here has. */
export function countSockets(): { made: Socket[]; stop(): void } {
  const made: Socket[] = [];
  const note = (message: unknown) => made.push((message as { socket: Socket }).socket);
  subscribe("net.client.socket", note);
  return { made, stop: () => unsubscribe("net.client.socket", note) };
}
