/** Keeps one consumer on an engine's queue and hands every delivery on. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Channel, ConsumeMessage, MessageProperties } from "amqplib";
import type { Logger } from "pino";
import type { Config } from "../process/config.ts";
import { brokerNames } from "../wire/names.ts";
import { Acks } from "./acks.ts";
import { closeConnection, openConnection } from "./connection.ts";
import type { Oddity } from "./content-header.ts";
import { BrokerFailure, explainFailure } from "./explain.ts";
import { type Opened, type Supervised, supervise } from "./supervise.ts";
import { consumerCount, verifyTopology } from "./topology.ts";

export type { MessageProperties };

/** One arrival of a job's message. Its `correlationId` is a Buffer where it is no UTF-8. */
export interface Delivery extends Oddity {
  message: ConsumeMessage;
  acks: Acks;
  /** Its properties could not be decoded, and are empty. */
  undecodable?: Error;
  /** Its body has so many bytes that it was not gathered, and is empty. */
  tooLargeBytes?: number;
}

export interface Consumer {
  /** Begins to consume; before, the queue was only found. To be called once. */
  start(): Promise<void>;
  /** Whether the broker delivers to us now. */
  ready(): boolean;
  /** No more deliveries; those that still arrive before cancel-ok come through as usual. */
  cancel(): Promise<void>;
  /** Stops or restarts the flow without losing the connection, for an outage elsewhere. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

export interface ConsumerOptions {
  engine: string;
  prefetch: number;
  /** A larger body is not taken in: the delivery says {@link Oddity.tooLargeBytes}. Default: 16 MiB. */
  maxBodyBytes?: number;
  /** How often it is seen to that the broker has the consumer. Default: 2 min. */
  checkIntervalMs?: number;
  onDelivery(delivery: Delivery): void;
  onStaleAck(count: number): void;
  log: Logger;
}

/** The broker itself failed on our queue: it answers, and no consumer gets anything. */
export class QueueFailed extends Error {
  override readonly name = "QueueFailed";
}

/** Not that the connection was lost: the broker won't have it. */
const isRefused = (error: unknown) => typeof (error as { code?: unknown }).code === "number";

/** AMQP's reply code for what the server could not help, which RabbitMQ also says of a queue without a leader. */
const isInternalError = (error: Error) => (error as { code?: unknown }).code === 541;

const CHECK_INTERVAL_MS = 120_000;
/** What RabbitMQ 4 takes; older ones take eight times that. */
const DEFAULT_MAX_BODY_BYTES = 16 * 1024 * 1024;
/** While a queue elects its leader, RabbitMQ may count none. */
const LOOKS = 3;
const LOOK_DELAY_MS = 500;

interface ConsumeLink {
  acks: Acks;
  tag: string | undefined;
  /** @throws {QueueFailed} */
  consume(): Promise<void>;
  cancel(): Promise<void>;
  /** @throws {QueueFailed} where the broker sees no consumer on the queue. */
  verify(): Promise<void>;
}

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

  constructor(options: ConsumerOptions) {
    this.#options = options;
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
    return this.#links?.current()?.tag !== undefined;
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
    const opened = await openLink(config, this.#options, lost);
    try {
      if (!this.#paused && !this.#stopped) await opened.link.consume();
      this.#note(undefined);
      return opened;
    } catch (error) {
      this.#note(error);
      await opened.close().catch(() => {});
      throw error;
    }
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
    if (link?.tag === undefined) return this.#alignSoon();
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

  /** Brings the consumer in line with `paused` and `stopped`. */
  async #align(): Promise<void> {
    const link = this.#links?.current();
    if (link === undefined) return;
    const isWanted = !this.#paused && !this.#stopped;
    try {
      if (!isWanted && link.tag !== undefined) await link.cancel();
      else if (isWanted && link.tag === undefined) await link.consume();
    } catch (error) {
      this.#giveUp(link, error);
    }
  }
}

async function openLink(config: Config, options: ConsumerOptions, lost: (reason: Error) => void) {
  const { engine, prefetch, onStaleAck, maxBodyBytes = DEFAULT_MAX_BODY_BYTES } = options;
  const names = brokerNames(config.ENGINE_PREFIX);
  const name = `${engine} consumer ${config.WORKER_ID}`;
  const { model } = await openConnection(config, name, maxBodyBytes);
  try {
    await verifyTopology(model, engine, names);
    const channel = await model.createChannel();
    const acks = new Acks(channel, onStaleAck);
    let reason = new Error("the connection was closed");
    const end = (error?: Error) => {
      if (error !== undefined) reason = error;
      if (!acks.closed) acks.close();
      lost(reason);
    };
    channel.on("error", (error) => {
      reason = error;
    });
    channel.on("close", () => end());
    model.on("close", (error) => end(error));
    await channel.prefetch(prefetch);
    const link = consuming(channel, names.queue(engine), acks, options, end, () => reason);
    const close = async () => {
      acks.flush();
      acks.close();
      await closeConnection(model, channel);
    };
    return { link, close };
  } catch (error) {
    await closeConnection(model);
    throw error;
  }
}

function consuming(
  channel: Channel,
  queue: string,
  acks: Acks,
  { onDelivery, log }: ConsumerOptions,
  end: (reason: Error) => void,
  reason: () => Error,
): ConsumeLink {
  function deliver(message: ConsumeMessage): void {
    const { undecodable, tooLargeBytes } = message.properties as Oddity;
    if (undecodable === undefined && tooLargeBytes === undefined) {
      onDelivery({ message, acks });
      return;
    }
    if (undecodable !== undefined)
      log.warn({ err: undecodable, queue }, "a message has properties that can't be decoded");
    onDelivery({
      message,
      acks,
      ...(undecodable && { undecodable }),
      ...(tooLargeBytes && { tooLargeBytes }),
    });
  }

  const link: ConsumeLink = {
    acks,
    tag: undefined,
    async consume() {
      try {
        const { consumerTag } = await channel.consume(queue, (message) => {
          if (message === null) end(new Error(`the broker cancelled the consumer of ${queue}`));
          else deliver(message);
        });
        link.tag = consumerTag;
      } catch (error) {
        if (!isInternalError(reason())) throw error;
        const message = `the broker fails on ${queue} (541 INTERNAL-ERROR): a quorum queue without a leader must be started again, or the broker`;
        throw new QueueFailed(message, { cause: reason() });
      }
      await link.verify();
    },
    async cancel() {
      const tag = link.tag;
      link.tag = undefined;
      if (tag !== undefined) await channel.cancel(tag);
    },
    async verify() {
      // A queue that LavinMQ closed after a torn write answers `consume`, yet it shows no consumer.
      for (let looks = 1; (await consumerCount(channel, queue)) === 0; looks++) {
        if (link.tag === undefined) return;
        if (looks === LOOKS)
          throw new QueueFailed(
            `${queue} shows no consumer: the broker has closed it; restart the queue, or the broker`,
          );
        await sleep(LOOK_DELAY_MS);
      }
    },
  };
  return link;
}
