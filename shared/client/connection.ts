/** One AMQP connection, hardened where the library would crash the process or wait for ever. */
import { AMQPClient } from "@cloudamqp/amqp-client";
import type { AMQPView } from "@cloudamqp/amqp-client/amqp-view";
import { BrokerUnavailable } from "./errors.ts";
import { patientTimeout } from "./patience.ts";

const HEARTBEAT_SECONDS = 30;

/** The reply code that the library puts at the end of its message, and nowhere else: 404 etc.; 0 if none. */
export function brokerCode(error: unknown): number {
  const found = error instanceof Error ? /\((\d{3})\)$/.exec(error.message) : undefined;
  return found ? Number(found[1]) : 0;
}

/**
 * Only the message of a library's error: the error itself holds its connection, password and all, and
 * would be printed with it.
 */
export function plain(error: unknown): Error {
  return new Error(error instanceof Error ? error.message : String(error));
}

export class Connection extends AMQPClient {
  /** Bytes received so far; when they stand still while confirms are due, the peer is gone. */
  get bytesRead(): number {
    return this.socket?.bytesRead ?? 0;
  }

  /**
   * Never rejects. The library drops a publish's confirm promise when its write fails and rejects
   * it later, unhandled; destroying the socket instead settles all that waits, once.
   */
  override async send(bytes: Uint8Array): Promise<void> {
    try {
      await super.send(bytes);
    } catch (error) {
      this.destroy(error);
    }
  }

  /** A frame that the library can't read ends the connection, not the process. */
  protected override parseFrames(view: AMQPView): void {
    try {
      super.parseFrames(view);
    } catch (error) {
      this.destroy(error);
    }
  }

  destroy(cause?: unknown): void {
    this.socket?.destroy(cause instanceof Error ? cause : undefined);
  }

  /** Closes politely, but never takes longer than `timeoutMs`. */
  async end(timeoutMs = 1_000): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    await Promise.race([this.close("the client is done").catch(() => {}), late]);
    clearTimeout(timer);
    this.destroy();
  }
}

/** Opens a connection within `timeoutMs` or rejects with {@link BrokerUnavailable}. */
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
    const code = [403, 530].includes(brokerCode(error)) ? "access_refused" : "broker_unreachable";
    throw new BrokerUnavailable(code, false, { cause: plain(error) });
  } finally {
    stop();
  }
}
