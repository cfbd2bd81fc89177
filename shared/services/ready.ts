/** Free ports, and waiting until a server answers. */
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** Asks the system for `count` different free ports of 127.0.0.1. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.once("error", reject);
          server.listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new TypeError("not a TCP address");
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** A server that was started did not answer in time, or ended. */
export class ServiceNotReady extends Error {
  override readonly name = "ServiceNotReady";
}

/**
 * Tries to connect until it works. `check` throws as long as the server isn't ready; `ended` tells
 * when to give up early, because the process is gone.
 */
export async function untilReady(
  what: string,
  check: () => Promise<void>,
  { timeoutMs = 60_000, intervalMs = 50, ended = (): string | undefined => undefined } = {},
): Promise<void> {
  const giveUpAt = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (cause) {
      const end = ended();
      if (end !== undefined) throw new ServiceNotReady(`${what} ended at start: ${end}`, { cause });
      if (Date.now() > giveUpAt)
        throw new ServiceNotReady(`${what} did not answer within ${timeoutMs / 1000} s`, { cause });
      await delay(intervalMs);
    }
  }
}
