/** The outside world: an HTTP server that records which idempotency key each request carried. */
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import type { History } from "./history.ts";

export interface Observer {
  readonly url: string;
  close(): Promise<void>;
}

export async function openObserver(history: History): Promise<Observer> {
  const server = createServer(async (request, response) => {
    try {
      const key = String(request.headers["idempotency-key"]);
      history.append({ kind: "external", nonce: await text(request), key });
      response.end("seen");
    } catch {
      response.destroy(); // the worker died while it sent its request
    }
  });
  // Never: a worker that thaws would send on a connection that ended meanwhile, and its handler would fail.
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
