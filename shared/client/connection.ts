/** One AMQP connection: opened in time or refused with what is wrong, and closed in time. */
import { HardenedClient } from "./amqp-client-insides.ts";
import { connectFailure } from "./connect-failure.ts";
import { patientTimeout } from "./patience.ts";

const HEARTBEAT_SECONDS = 30;

export class Connection extends HardenedClient {
  /** Closes politely, but never takes longer than `timeoutMs`. */
  async end(timeoutMs = 1_000): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    await Promise.race([this.close("the client is done").catch(() => {}), late]);
    clearTimeout(timer);
    this.destroy();
  }
}

/** Opens a connection within `timeoutMs` or rejects with BrokerUnavailable. */
export async function openConnection(
  amqpUrl: string,
  options: { name: string; timeoutMs: number },
): Promise<Connection> {
  const url = new URL(amqpUrl);
  url.searchParams.set("name", options.name);
  url.searchParams.set("heartbeat", String(HEARTBEAT_SECONDS));
  const connection = new Connection(url.href);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const stop = patientTimeout(options.timeoutMs, () =>
    reject(new Error(`no answer from ${url.host} in ${options.timeoutMs} ms`)),
  );
  try {
    await Promise.race([connection.connect(), late]);
    return connection;
  } catch (error) {
    connection.destroy();
    throw connectFailure(connection.failure ?? error, url.host);
  } finally {
    stop();
  }
}
