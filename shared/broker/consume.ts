/** Keeps one consumer on an engine's queue and hands every delivery on. */
import type { ConsumeMessage, MessageProperties } from "amqplib";
import type { Logger } from "pino";
import type { Config } from "../process/config.ts";
import { brokerNames } from "../wire/names.ts";
import { Acks } from "./acks.ts";
import { openConnection } from "./connection.ts";
import { supervise } from "./supervise.ts";
import { consumerCount, verifyTopology } from "./topology.ts";

export type { MessageProperties };

/** One arrival of a job's message. */
export interface Delivery {
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
  onDelivery(delivery: Delivery): void;
  onStaleAck(count: number): void;
  log: Logger;
}

/** The broker itself failed on our queue: it answers, and no consumer gets anything. */
export class QueueFailed extends Error {
  override readonly name = "QueueFailed";
}

/** AMQP's reply code for what the server could not help, which RabbitMQ also says of a queue without a leader. */
const isInternalError = (error: Error) => (error as { code?: unknown }).code === 541;

const CHECK_INTERVAL_MS = 120_000;

interface Link {
  acks: Acks;
  tag: string | undefined;
  consume(): Promise<void>;
  cancel(): Promise<void>;
  verify(): Promise<boolean>;
}

/** Resolves when the queue was found; nothing comes before {@link Consumer.start}. Throws what the first try met. */
export async function openConsumer(config: Config, options: ConsumerOptions): Promise<Consumer> {
  const { log } = options;
  let stopped = false;
  let paused = true;
  let closedQueue = false;

  const supervised = await supervise<Link>(
    "consumer",
    async (lost) => {
      const opened = await openLink(config, options, lost);
      if (!paused && !stopped) await opened.link.consume();
      return opened;
    },
    log,
  );

  async function check(): Promise<void> {
    const link = supervised.current();
    // A link that was being opened while `paused` changed may have missed it.
    if (link?.tag === undefined) return alignSoon();
    try {
      // A queue that LavinMQ closed after a torn write answers `consume`, yet it shows no consumer.
      closedQueue = !(await link.verify());
      if (closedQueue)
        log.error(
          { alert: "queue_closed" },
          "the queue shows no consumer: the broker has closed it",
        );
    } catch (error) {
      supervised.drop(link, error as Error);
    }
  }
  const timer = setInterval(check, CHECK_INTERVAL_MS);
  timer.unref();

  /** Brings the consumer in line with `paused` and `stopped`. */
  async function align(): Promise<void> {
    const link = supervised.current();
    if (link === undefined) return;
    try {
      if ((paused || stopped) && link.tag !== undefined) await link.cancel();
      else if (!paused && !stopped && link.tag === undefined) await link.consume();
    } catch (error) {
      supervised.drop(link, error as Error);
    }
  }
  let aligning = Promise.resolve();
  const alignSoon = () => {
    aligning = aligning.then(align);
    return aligning;
  };

  return {
    async start() {
      paused = false;
      // A link that was lost meanwhile consumes as soon as it is back.
      await supervised.current()?.consume();
      await check();
    },
    ready: () => supervised.current()?.tag !== undefined && !closedQueue,
    cancel() {
      stopped = true;
      return alignSoon();
    },
    pause() {
      paused = true;
      void alignSoon();
    },
    resume() {
      paused = false;
      void alignSoon();
    },
    async close() {
      clearInterval(timer);
      await supervised.close();
    },
  };
}

async function openLink(config: Config, options: ConsumerOptions, lost: (reason: Error) => void) {
  const { engine, prefetch, onDelivery, onStaleAck, log } = options;
  const names = brokerNames(config.ENGINE_PREFIX);
  const queue = names.queue(engine);
  const { model } = await openConnection(config, `${engine} consumer ${config.WORKER_ID}`);
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

    const link: Link = {
      acks,
      tag: undefined,
      async consume() {
        try {
          const { consumerTag } = await channel.consume(queue, (message) => {
            if (message === null) end(new Error(`the broker cancelled the consumer of ${queue}`));
            else onDelivery({ message, acks });
          });
          link.tag = consumerTag;
        } catch (error) {
          if (!isInternalError(reason)) throw error;
          const message = `the broker fails on ${queue} (541 INTERNAL-ERROR): a quorum queue without a leader must be started again, or the broker`;
          log.error({ alert: "queue_closed" }, message);
          throw new QueueFailed(message, { cause: reason });
        }
      },
      async cancel() {
        const tag = link.tag;
        link.tag = undefined;
        if (tag !== undefined) await channel.cancel(tag);
      },
      verify: async () => (await consumerCount(channel, queue)) > 0,
    };
    const close = async () => {
      acks.flush();
      acks.close();
      await model.close();
    };
    return { link, close };
  } catch (error) {
    await model.close().catch(() => {});
    throw error;
  }
}
