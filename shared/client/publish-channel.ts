/** The channel that publishes, with confirms: opened on each connection, and again when the broker closes it. */
import type { AMQPChannel, AMQPMessage } from "@cloudamqp/amqp-client";
import { plain } from "./amqp-client-insides.ts";
import type { Connection } from "./connection.ts";
import type { Link } from "./link.ts";

const FIRST_DELAY_MS = 250;
/** Below half of the time that a publish has: each is tried once at least. */
const LAST_DELAY_MS = 2_000;

/** When it is opened again: at once, after the first delay, or after one that grows until a publish is confirmed. */
export type Reopening = "now" | "soon" | "later";

interface ChannelOptions {
  onReturn(message: AMQPMessage): void;
  /** The broker closed it, or it went with its connection. */
  onClosed(error: Error): void;
  /** It can publish. */
  onOpen(): void;
  /** The connection is there, and the broker gives no channel. */
  onFailed(error: Error): void;
}

export class PublishChannel {
  readonly #link: Link;
  readonly #options: ChannelOptions;
  readonly #readyListeners = new Set<() => void>();
  #channel: AMQPChannel | undefined;
  /** The connection whose first channel was announced. */
  #announced: Connection | undefined;
  #opening = false;
  #reopening: NodeJS.Timeout | undefined;
  #delayMs = FIRST_DELAY_MS;
  #closed = false;

  constructor(link: Link, options: ChannelOptions) {
    this.#link = link;
    this.#options = options;
    link.onUp(() => void this.#open());
  }

  /**
   * Calls `listener` when a channel stands on a new connection, or in the place of one that was given
   * up: what was confirmed before may be lost. A channel that the broker closed loses nothing.
   */
  onReady(listener: () => void): void {
    this.#readyListeners.add(listener);
  }

  /** The channel, while it can publish. */
  get current(): AMQPChannel | undefined {
    const channel = this.#channel;
    const { connection } = this.#link;
    return channel && !channel.closed && channel.connection === connection ? channel : undefined;
  }

  /** A publish was confirmed: the next delay is the first again. */
  works(): void {
    this.#delayMs = FIRST_DELAY_MS;
  }

  reopen(when: Reopening): void {
    if (this.#closed || !this.#link.connection) return;
    clearTimeout(this.#reopening);
    const delayMs = when === "now" ? 0 : when === "soon" ? FIRST_DELAY_MS : this.#delayMs;
    if (when === "later") this.#delayMs = Math.min(this.#delayMs * 2, LAST_DELAY_MS);
    this.#reopening = setTimeout(() => void this.#open(), delayMs).unref();
  }

  /** Gives the channel up for another one. */
  replace(): void {
    const channel = this.#channel;
    this.#channel = undefined;
    this.#announced = undefined;
    channel?.close().catch(() => {});
    void this.#open();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#reopening);
  }

  async #open(): Promise<void> {
    const { connection } = this.#link;
    if (this.#opening || this.#closed || !connection || this.current) return;
    this.#opening = true;
    try {
      const channel = await connection.channel();
      channel.onReturn = this.#options.onReturn;
      // The channel's word is its error's message; of a channel that was given up it is late.
      channel.onerror = (message) => {
        if (this.#channel !== channel) return;
        this.#channel = undefined;
        this.#options.onClosed(new Error(message));
      };
      await channel.confirmSelect();
      this.#channel = channel;
    } catch (error) {
      if (connection === this.#link.connection) this.#options.onFailed(plain(error));
    } finally {
      this.#opening = false;
    }
    if (!this.current) return this.reopen(connection === this.#link.connection ? "later" : "now");
    const isNews = this.#announced !== connection;
    this.#announced = connection;
    this.#options.onOpen();
    if (isNews) for (const listener of this.#readyListeners) listener();
  }
}
