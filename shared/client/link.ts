/** Keeps one connection up: opens it, notices its loss, and opens it again with backoff until closed. */
import { plain } from "./amqp-client-insides.ts";
import { type Connection, openConnection } from "./connection.ts";
import { BrokerUnavailable, ClientClosed } from "./errors.ts";

const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 5_000;
/** A connection that stood so long did not break by what comes first on each: the delay starts anew. */
const STEADY_MS = 10_000;

/** Where the client reports what no await of the caller can tell. */
export type Report = (event: string, error?: unknown) => void;

export class Link {
  /** The live connection; undefined while there is none. */
  connection: Connection | undefined;
  /** Why there is no connection. */
  lastError: unknown;
  closed = false;
  readonly #upListeners = new Set<() => void>();
  readonly #unblockedListeners = new Set<() => void>();
  readonly #options: { amqpUrl: string; name: string; connectTimeoutMs: number; report: Report };
  #retry: NodeJS.Timeout | undefined;
  #delayMs = FIRST_DELAY_MS;

  constructor(options: {
    amqpUrl: string;
    name: string;
    connectTimeoutMs: number;
    report: Report;
  }) {
    this.#options = options;
  }

  /** Opens the first connection; rejects with BrokerUnavailable, and then does not try again. */
  async start(): Promise<void> {
    await this.#open();
  }

  /** Opens it in the background, for as long as it takes. */
  startSoon(): void {
    this.#open().catch((error) => this.#later(error));
  }

  /** Calls `listener` after each connection made from now on. */
  onUp(listener: () => void): void {
    this.#upListeners.add(listener);
  }

  onUnblocked(listener: () => void): void {
    this.#unblockedListeners.add(listener);
  }

  /** The broker's word for why it holds publishers back, while it does. */
  get blocked(): string | undefined {
    return this.connection?.blocked;
  }

  /** Why publishing does not work right now. */
  unavailable(maybeAccepted: boolean): BrokerUnavailable {
    const { lastError, blocked } = this;
    if (blocked !== undefined)
      return new BrokerUnavailable("broker_blocked", maybeAccepted, { cause: new Error(blocked) });
    if (this.connection) return new BrokerUnavailable("confirm_timeout", maybeAccepted);
    const code = lastError instanceof BrokerUnavailable ? lastError.code : "broker_unreachable";
    const cause = lastError instanceof BrokerUnavailable ? lastError.cause : lastError;
    return new BrokerUnavailable(code, maybeAccepted, { cause });
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.#retry);
    const { connection } = this;
    this.connection = undefined;
    await connection?.end();
  }

  async #open(): Promise<void> {
    const { amqpUrl, name, connectTimeoutMs } = this.#options;
    const connection = await openConnection(amqpUrl, { name, timeoutMs: connectTimeoutMs });
    if (this.closed) {
      await connection.end();
      throw new ClientClosed();
    }
    if (connection.closed) throw new BrokerUnavailable("broker_unreachable", false);
    this.connection = connection;
    const upAt = performance.now();
    connection.onUnreadable = (error) => this.#options.report("unreadable_headers", error);
    connection.ondisconnect = (error) => {
      if (this.connection !== connection) return;
      this.connection = undefined;
      if (performance.now() - upAt > STEADY_MS) this.#delayMs = FIRST_DELAY_MS;
      const cause = plain(connection.failure ?? error ?? "closed by the broker");
      this.#options.report("connection_lost", cause);
      this.#later(cause);
    };
    connection.onunblocked = () => {
      for (const listener of this.#unblockedListeners) listener();
    };
    for (const listener of this.#upListeners) listener();
  }

  #later(error: unknown): void {
    this.lastError = error;
    if (this.closed) return;
    const delayMs = this.#delayMs * (0.5 + Math.random() / 2);
    this.#delayMs = Math.min(this.#delayMs * 2, LAST_DELAY_MS);
    this.#retry = setTimeout(() => this.startSoon(), delayMs);
  }
}
