/** A connection to the broker that is opened and set up again whenever it is lost, for as long as that may take. */
import { setTimeout as delay } from "node:timers/promises";
import { type ChannelModel, connect } from "amqplib";

export interface KeptConnectionOptions {
  amqpUrl: string;
  /** Makes of each new connection what is wanted of it; it fails when the connection breaks meanwhile. */
  setUp(connection: ChannelModel): Promise<void>;
  /** Called once, when the broker stayed away for too long. */
  onGivenUp(error: BrokerStaysAway): void;
  /** How long a lost broker may stay away, milliseconds. Default: 60 s. */
  patienceMs?: number;
}

export interface KeptConnection {
  /** Undefined while it is lost. */
  current(): ChannelModel | undefined;
  /** Never fails: what is lost is closed. */
  close(): Promise<void>;
}

/** A broker that was there went away and did not come back. */
export class BrokerStaysAway extends Error {
  override readonly name = "BrokerStaysAway";
}

const PATIENCE_MS = 60_000;
const RETRY_MS = 250;

/** The first connection's failure is thrown. */
export async function keepConnected(options: KeptConnectionOptions): Promise<KeptConnection> {
  const { amqpUrl, setUp, onGivenUp, patienceMs = PATIENCE_MS } = options;
  const closing = new AbortController();
  let current: ChannelModel | undefined;

  const open = async () => {
    const connection = await connect(amqpUrl, { noDelay: true });
    let isBroken = false;
    connection.on("error", () => {});
    connection.on("close", () => {
      isBroken = true;
      if (current !== connection) return;
      current = undefined;
      void reopen();
    });
    try {
      await setUp(connection);
      if (isBroken) throw new Error("the connection broke at its start");
    } catch (error) {
      await connection.close().catch(() => {});
      throw error;
    }
    current = connection;
  };
  const reopen = async () => {
    const lostAtMs = performance.now();
    for (;;) {
      await delay(RETRY_MS, undefined, { signal: closing.signal }).catch(() => {});
      if (closing.signal.aborted) return;
      try {
        await open();
        if (closing.signal.aborted) await current?.close().catch(() => {});
        return;
      } catch (cause) {
        if (performance.now() - lostAtMs < patienceMs) continue;
        const why = `the broker went away and did not come back within ${patienceMs / 1_000} s`;
        onGivenUp(new BrokerStaysAway(`${why} (${(cause as Error).message})`, { cause }));
        return;
      }
    }
  };

  await open();
  return {
    current: () => current,
    async close() {
      closing.abort();
      const last = current;
      current = undefined;
      await last?.close().catch(() => {});
    },
  };
}
