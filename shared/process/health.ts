/** The internal port: /healthz, /readyz and /metrics. None of them touches a server, so an idle database can sleep. */
import type { AddressInfo } from "node:net";
import { http } from "./http.ts";
import { StartFailure } from "./start-failure.ts";

export interface HealthOptions {
  port: number;
  /** Undefined when ready, else what is missing. */
  notReady(): string | undefined;
  metrics(): Promise<string>;
}

export interface Health {
  port: number;
  close(): Promise<void>;
}

const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export async function serveHealth(options: HealthOptions): Promise<Health> {
  const server = http.createServer(async (request, response) => {
    const answer = (status: number, body: string, type = "text/plain; charset=utf-8") => {
      response.writeHead(status, { "content-type": type }).end(body);
    };
    switch (request.url) {
      case "/healthz":
        return answer(200, "ok\n");
      case "/readyz": {
        const missing = options.notReady();
        return missing === undefined ? answer(200, "ready\n") : answer(503, `${missing}\n`);
      }
      case "/metrics":
        return answer(200, await options.metrics(), METRICS_TYPE);
      default:
        return answer(404, "try /healthz, /readyz or /metrics\n");
    }
  });
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken =
        error.code === "EADDRINUSE"
          ? " is taken by another process"
          : ` can't be opened (${error.message})`;
      reject(
        new StartFailure(
          "health port",
          "HEALTH_PORT",
          `HEALTH_PORT=${options.port}${taken}: choose another one, or HEALTH_PORT=0 for any that is free`,
          { temporary: false, cause: error },
        ),
      );
    });
    server.listen(options.port, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
