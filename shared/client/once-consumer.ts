/** A consumer whose messages go to an async handler, each once, acknowledged after it. */
import { setTimeout as delay } from "node:timers/promises";
import type { AMQPChannel, AMQPMessage } from "@cloudamqp/amqp-client";
import { Consumer } from "./consumer.ts";
import { InvalidArgument } from "./errors.ts";
import type { Link, Report } from "./link.ts";
import { Turns } from "./turns.ts";

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
/** Settled message ids that are remembered, to drop copies. */
const REMEMBERED = 10_000;
/** What `basic.qos` can say; 0 would be no limit. */
const MAX_PREFETCH = 65_535;
/** Messages held at most while handlers fail; shared brokers end connections that hold over 1,000. */
const MAX_HELD = 500;

export interface OnceOptions<Message> {
  declare(channel: AMQPChannel): Promise<string>;
  read(message: AMQPMessage): { messageId: string; message: Message } | undefined;
  handler(message: Message): void | Promise<void>;
  /** Handlers that run at once. */
  concurrency: number;
  report: Report;
}

export class OnceConsumer<Message> {
  readonly consumer: Consumer;
  readonly #options: OnceOptions<Message>;
  readonly #turns: Turns;
  /** By message id: what is being handled, and what was, oldest first. */
  readonly #seen = new Map<string, Promise<void>>();
  readonly #running = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  /** Messages whose handler failed, until its next try. */
  #failed = 0;

  constructor(link: Link, options: OnceOptions<Message>) {
    const { concurrency } = options;
    if (!(Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= MAX_PREFETCH))
      throw new InvalidArgument("invalid_option", `concurrency must be from 1 to ${MAX_PREFETCH}`);
    this.#options = options;
    this.#turns = new Turns(concurrency);
    this.consumer = new Consumer(link, {
      declare: options.declare,
      onMessage: (message) => this.#receive(message),
      prefetch: concurrency,
      report: options.report,
    });
  }

  /** Takes no more, and waits up to `graceMs` for running handlers. */
  async close(graceMs: number): Promise<void> {
    const cancelled = this.consumer.close();
    this.#closing.abort();
    const grace = new AbortController();
    const settled = Promise.allSettled([cancelled, ...this.#running]);
    await Promise.race([settled, delay(graceMs, undefined, { signal: grace.signal })]);
    grace.abort();
  }

  #receive(message: AMQPMessage): void {
    const read = this.#options.read(message);
    if (!read) {
      this.#options.report("unreadable_message", new Error(message.properties.type ?? "no type"));
      message.reject(false).catch(() => {});
      return;
    }
    const { messageId } = read;
    const handled = this.#seen.get(messageId) ?? this.#handle(read.message);
    this.#seen.delete(messageId);
    this.#seen.set(messageId, handled);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.keys().next().value as string);
    this.#running.add(handled);
    const settled = handled.then(
      // On the channel that delivered it; when that is gone, the broker sends it again, to be dropped here.
      () => message.ack().catch(() => {}),
      () => this.#seen.delete(messageId),
    );
    void settled.finally(() => this.#running.delete(handled));
  }

  /** Until the handler resolves; rejects only when the client closes meanwhile. */
  async #handle(message: Message): Promise<void> {
    const { signal } = this.#closing;
    for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)) {
      await this.#turns.take();
      try {
        signal.throwIfAborted();
        return await this.#options.handler(message);
      } catch (error) {
        signal.throwIfAborted();
        this.#options.report("handler_failed", error);
      } finally {
        this.#turns.give();
      }
      await this.#waitFor(retryMs);
    }
  }

  /** What waits for its next try keeps its place with the broker: others are asked for in its stead. */
  async #waitFor(retryMs: number): Promise<void> {
    this.#setFailed(this.#failed + 1);
    try {
      await delay(retryMs, undefined, { signal: this.#closing.signal });
    } finally {
      this.#setFailed(this.#failed - 1);
    }
  }

  #setFailed(failed: number): void {
    const { concurrency, report } = this.#options;
    const most = Math.max(2, Math.floor(MAX_HELD / concurrency));
    if (failed > this.#failed && failed === most * concurrency)
      report("handlers_stuck", new Error(`${failed} messages wait for another try, no more come`));
    this.#failed = failed;
    this.consumer.widen(Math.min(1 + Math.ceil(failed / concurrency), most));
  }
}
