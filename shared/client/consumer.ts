/** Keeps one consumer alive: rebuilt after a lost connection, a closed channel, a cancel or a deleted queue. */
import type { AMQPChannel, AMQPMessage } from "@cloudamqp/amqp-client";
import { brokerCode, plain } from "./amqp-client-insides.ts";
import { BrokerUnavailable, ClientClosed } from "./errors.ts";
import type { Link, Report } from "./link.ts";
import { patientTimeout } from "./patience.ts";

const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 5_000;

export interface ConsumerOptions {
  /** Declares what it consumes from, on a fresh channel, and returns the queue's name. */
  declare(channel: AMQPChannel): Promise<string>;
  onMessage(message: AMQPMessage): void;
  /** Unacknowledged messages at once; 0: the broker needs no ack. */
  prefetch: number;
  report: Report;
}

export class Consumer {
  readonly #link: Link;
  readonly #options: ConsumerOptions;
  readonly #readyListeners = new Set<() => void>();
  #queue: string | undefined;
  #channel: AMQPChannel | undefined;
  #building = false;
  #waiting: Promise<string> | undefined;
  #closed = false;
  #delayMs = FIRST_DELAY_MS;
  #retry: NodeJS.Timeout | undefined;
  /** How many consumers it should be, and the tags of those beside the first. */
  #times = 1;
  #more: string[] = [];
  #widening: Promise<void> = Promise.resolve();
  /** What was told of a failure that lasts. */
  #reported: string | undefined;
  lastError: unknown;

  constructor(link: Link, options: ConsumerOptions) {
    this.#link = link;
    this.#options = options;
    link.onUp(() => void this.#build());
    void this.#build();
  }

  /** The queue it consumes from, while it does. */
  get queue(): string | undefined {
    return this.#channel && !this.#channel.closed ? this.#queue : undefined;
  }

  /** Calls `listener` each time it consumes again. */
  onReady(listener: () => void): void {
    this.#readyListeners.add(listener);
  }

  /**
   * Resolves with the queue's name once it consumes; rejects with BrokerUnavailable after `timeoutMs`.
   * All that wait at a time share one wait.
   */
  ready(timeoutMs: number): Promise<string> {
    if (this.queue) return Promise.resolve(this.queue);
    if (this.#closed) return Promise.reject(new ClientClosed());
    this.#waiting ??= this.#wait(timeoutMs).finally(() => {
      this.#waiting = undefined;
    });
    return this.#waiting;
  }

  async #wait(timeoutMs: number): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const listener = () => resolve(this.#queue as string);
    this.#readyListeners.add(listener);
    const stop = patientTimeout(timeoutMs, () => reject(this.#unavailable()));
    try {
      return await promise;
    } finally {
      stop();
      this.#readyListeners.delete(listener);
    }
  }

  /**
   * Consumes `times` as one consumer would: each brings its own prefetch, which a consumer that stands
   * could not be given more of on every broker.
   */
  widen(times: number): void {
    this.#times = times;
    this.#widening = this.#widening.then(() => this.#adjust());
  }

  /** Stops deliveries. What is unacknowledged goes back when the connection closes. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    const channel = this.#channel;
    this.#channel = undefined;
    if (!channel || channel.closed) return;
    for (const tag of channel.consumers.keys()) await channel.basicCancel(tag).catch(() => {});
  }

  #unavailable(): BrokerUnavailable {
    const code = brokerCode(this.lastError);
    if (!this.#link.connection || code === 0) return this.#link.unavailable(false);
    const known = code === 404 ? "topology_missing" : code === 403 ? "access_refused" : undefined;
    return new BrokerUnavailable(known ?? "broker_refused", false, { cause: this.lastError });
  }

  /** The library calls it from a microtask, where a throw would end the process. */
  readonly #receive = (message: AMQPMessage): void => {
    try {
      this.#options.onMessage(message);
    } catch (error) {
      this.#options.report("unreadable_message", error);
      if (this.#options.prefetch > 0) message.reject(false).catch(() => {});
    }
  };

  async #build(): Promise<void> {
    const { connection } = this.#link;
    if (this.#building || this.#closed || !connection) return;
    if (this.#channel && !this.#channel.closed && this.#channel.connection === connection) return;
    this.#building = true;
    try {
      const channel = await connection.channel();
      channel.onerror = () => {};
      const { prefetch, declare } = this.#options;
      this.#queue = await declare(channel);
      if (prefetch > 0) await channel.basicQos(prefetch);
      const noAck = prefetch === 0;
      const consumer = await channel.basicConsume(this.#queue, { noAck }, this.#receive);
      this.#channel = channel;
      this.#more = [];
      this.#reported = undefined;
      this.#delayMs = FIRST_DELAY_MS;
      consumer.wait().catch((error) => this.#lost(channel, error));
    } catch (error) {
      this.lastError = plain(error);
      if (connection === this.#link.connection) this.#reportFailure(plain(error));
    } finally {
      this.#building = false;
    }
    if (!this.queue) this.#later();
    else {
      for (const listener of [...this.#readyListeners]) listener();
      this.widen(this.#times);
    }
  }

  /** Once, as long as it fails for the same reason. */
  #reportFailure(error: Error): void {
    if (error.message !== this.#reported) this.#options.report("consumer_failed", error);
    this.#reported = error.message;
  }

  async #adjust(): Promise<void> {
    const channel = this.#channel;
    const queue = this.queue;
    const isCurrent = () => !this.#closed && channel === this.#channel && !channel?.closed;
    if (!channel || queue === undefined) return;
    try {
      while (isCurrent() && this.#more.length < this.#times - 1) {
        const { tag } = await channel.basicConsume(queue, { noAck: false }, this.#receive);
        this.#more.push(tag);
      }
      while (isCurrent() && this.#more.length > this.#times - 1)
        await channel.basicCancel(this.#more.pop() as string);
    } catch {
      // The channel's end, which its first consumer hears of.
    }
  }

  /** The broker cancelled it (queue deleted) or closed its channel, or the connection went. */
  #lost(channel: AMQPChannel, error: unknown): void {
    if (this.#closed || this.#channel !== channel) return;
    this.#channel = undefined;
    this.lastError = plain(error);
    this.#options.report("consumer_lost", this.lastError);
    if (!channel.closed) channel.close().catch(() => {});
    this.#later();
  }

  #later(): void {
    if (this.#closed || !this.#link.connection) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#build(), this.#delayMs);
    this.#delayMs = Math.min(this.#delayMs * 2, LAST_DELAY_MS);
  }
}
