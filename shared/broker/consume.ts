/** Keeps a consumer on each of an engine's queues and hands every delivery on. */
import type { ConsumeMessage, MessageProperties } from "amqplib";
import type { Logger } from "pino";
import type { Config } from "../process/config.ts";
import type { Lane } from "../wire/names.ts";
import type { Acks } from "./acks.ts";
import { ByteBudget, weightOf } from "./byte-budget.ts";
import { type ConsumeLink, openConsumeLink, QueueFailed } from "./consume-link.ts";
import type { Oddity } from "./content-header.ts";
import { BrokerFailure, explainFailure } from "./explain.ts";
import { type Opened, type Supervised, supervise } from "./supervise.ts";

export type { ConsumeMessage, MessageProperties };

/** One arrival of a job's message. Its `correlationId` is a Buffer where it is no UTF-8. */
export interface Delivery extends Oddity {
  message: ConsumeMessage;
  acks: Acks;
  /** Of the queue that it came from. */
  lane: Lane;
}

export interface Consumer {
  /** Begins to consume; before, the queue was only found. To be called once. */
  start(): Promise<void>;
  /** Whether the broker delivers to us now, of each queue. */
  ready(): boolean;
  /** No more deliveries; those that still arrive before cancel-ok come through as usual. */
  cancel(): Promise<void>;
  /** Stops or restarts the flow without losing the connection, for an outage elsewhere. */
  pause(): void;
  resume(): void;
  /** Of all bodies that were delivered and have not ended. */
  readonly heldBytes: number;
  close(): Promise<void>;
}

export interface ConsumerOptions {
  engine: string;
  prefetch: number;
  /** Of its bulk queue. Undefined: that is not consumed. */
  bulkPrefetch?: number | undefined;
  /** A larger body is not taken in: the delivery says {@link Oddity.tooLargeBytes}. Default: 16 MiB. */
  maxBodyBytes?: number;
  /**
   * Of all bodies in hand, in bytes; what does not fit goes back to its queue and is fetched when there is room. A
   * larger one is taken alone. Default: no bound.
   */
  maxHeldBytes?: number;
  /** How often it is seen to that the broker has the consumer. Default: 2 min. */
  checkIntervalMs?: number;
  /** Resolves when the delivery has ended, and its body is held no more. */
  onDelivery(delivery: Delivery): Promise<void> | void;
  onStaleAck(count: number): void;
  log: Logger;
}

/** Not that the connection was lost: the broker won't have it. */
const isRefused = (error: unknown) => typeof (error as { code?: unknown }).code === "number";

const CHECK_INTERVAL_MS = 120_000;

/**
 * Resolves when the queue was found; nothing comes before {@link Consumer.start}.
 * @throws {StartFailure}
 */
export async function openConsumer(config: Config, options: ConsumerOptions): Promise<Consumer> {
  const consumer = new QueueConsumer(options);
  await consumer.open(config);
  return consumer;
}

class QueueConsumer implements Consumer {
  readonly #options: ConsumerOptions;
  #links: Supervised<ConsumeLink> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #paused = true;
  #hasFailed = false;
  #verifying: ConsumeLink | undefined;
  #aligning = Promise.resolve();
  readonly #bytes: ByteBudget;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#bytes = new ByteBudget({
      maxBytes: options.maxHeldBytes ?? Number.POSITIVE_INFINITY,
      onFull: () => void this.#alignSoon(),
      onRoom: () => void this.#alignSoon(),
      onSmaller: () => void this.#renewSoon(),
    });
  }

  async open(config: Config): Promise<void> {
    const { log, checkIntervalMs = CHECK_INTERVAL_MS } = this.#options;
    try {
      this.#links = await supervise("consumer", (lost) => this.#openLink(config, lost), log);
    } catch (error) {
      throw await explainFailure(error, config.AMQP_URL);
    }
    this.#timer = setInterval(() => this.#check(), checkIntervalMs);
    this.#timer.unref();
  }

  async start(): Promise<void> {
    this.#paused = false;
    // A link that was lost meanwhile consumes as soon as it is back.
    const link = this.#links?.current();
    try {
      await link?.consume();
    } catch (error) {
      // Lost, or closed by the broker: it is consumed as soon as it is back, and until then not ready.
      if (link === undefined) throw error;
      if (isRefused(error)) throw this.#refused(error as Error);
      this.#giveUp(link, error);
    }
  }

  ready(): boolean {
    return this.#links?.current()?.consuming === true || this.#bytes.isFull;
  }

  get heldBytes(): number {
    return this.#bytes.heldBytes;
  }

  cancel(): Promise<void> {
    this.#stopped = true;
    return this.#alignSoon();
  }

  pause(): void {
    this.#paused = true;
    void this.#alignSoon();
  }

  resume(): void {
    this.#paused = false;
    void this.#alignSoon();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#links?.close();
  }

  async #openLink(config: Config, lost: (reason: Error) => void): Promise<Opened<ConsumeLink>> {
    const options = {
      ...this.#options,
      onDelivery: (delivery: Delivery) => this.#deliver(delivery),
      prefetchOf: (most: number) => this.#bytes.prefetch(most),
    };
    const opened = await openConsumeLink(config, options, lost);
    try {
      if (this.#isWanted()) await opened.link.consume();
      this.#note(undefined);
      return opened;
    } catch (error) {
      this.#note(error);
      await opened.close().catch(() => {});
      throw error;
    }
  }

  /** Uncounted: a job that does not fit has not begun. */
  #deliver(delivery: Delivery): void {
    const bytes = weightOf(delivery.message.content);
    if (!this.#bytes.take(bytes)) {
      delivery.acks.handBack(delivery.message);
      return;
    }
    const ended = this.#options.onDelivery(delivery);
    if (ended === undefined) this.#bytes.release(bytes);
    else void ended.then(() => this.#bytes.release(bytes));
  }

  /** The one place that tells of a queue that is closed, when it closes and when it is back. */
  #note(failure: unknown): void {
    const isFailed = failure instanceof QueueFailed;
    if (isFailed && !this.#hasFailed)
      this.#options.log.error({ alert: "queue_closed" }, failure.message);
    this.#hasFailed = failure === undefined ? false : this.#hasFailed || isFailed;
  }

  #giveUp(link: ConsumeLink, reason: unknown): void {
    this.#note(reason);
    this.#links?.drop(link, reason as Error);
  }

  #refused(error: Error): BrokerFailure {
    const { engine } = this.#options;
    return new BrokerFailure(
      `the broker does not let ${engine} consume (${error.message}): make rights NAME=${engine} prints what its user needs`,
      { cause: error },
    );
  }

  async #check(): Promise<void> {
    const link = this.#links?.current();
    // A link that was being opened while `paused` changed may have missed it.
    if (link?.consuming !== true) return this.#alignSoon();
    if (link === this.#verifying) return;
    this.#verifying = link;
    try {
      await link.verify();
    } catch (error) {
      this.#giveUp(link, error);
    } finally {
      this.#verifying = undefined;
    }
  }

  #alignSoon(): Promise<void> {
    this.#aligning = this.#aligning.then(() => this.#align());
    return this.#aligning;
  }

  #isWanted(): boolean {
    return !this.#paused && !this.#stopped && !this.#bytes.isFull;
  }

  /** Consumes anew, for as many deliveries as fit by now: what is in hand stays. */
  #renewSoon(): Promise<void> {
    this.#aligning = this.#aligning.then(async () => {
      const link = this.#links?.current();
      if (link?.consuming !== true) return;
      await link.cancel().catch((error) => this.#giveUp(link, error));
      await this.#align();
    });
    return this.#aligning;
  }

  /** Brings the consumer in line with what is wanted. */
  async #align(): Promise<void> {
    const link = this.#links?.current();
    if (link === undefined) return;
    const isWanted = this.#isWanted();
    try {
      if (!isWanted) await link.cancel();
      else if (!link.consuming) await link.consume();
    } catch (error) {
      this.#giveUp(link, error);
    }
  }
}
