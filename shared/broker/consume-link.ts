/** One connection that consumes from one queue: each delivery goes on with the acks of its channel. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Channel, ConsumeMessage } from "amqplib";
import type { Config } from "../process/config.ts";
import { brokerNames } from "../wire/names.ts";
import { Acks } from "./acks.ts";
import { closeConnection, openConnection } from "./connection.ts";
import type { ConsumerOptions } from "./consume.ts";
import type { Oddity } from "./content-header.ts";
import type { Opened } from "./supervise.ts";
import { consumerCount, verifyTopology } from "./topology.ts";

/** The broker itself failed on our queue: it answers, and no consumer gets anything. */
export class QueueFailed extends Error {
  override readonly name = "QueueFailed";
}

/** AMQP's reply code for what the server could not help, which RabbitMQ also says of a queue without a leader. */
const isInternalError = (error: Error) => (error as { code?: unknown }).code === 541;

/** What RabbitMQ 4 takes; older ones take eight times that. */
const DEFAULT_MAX_BODY_BYTES = 16 * 1024 * 1024;
/** While a queue elects its leader, RabbitMQ may count none. */
const LOOKS = 3;
const LOOK_DELAY_MS = 500;

export interface ConsumeLink {
  /** Of the consumer, while there is one. */
  tag: string | undefined;
  /** @throws {QueueFailed} */
  consume(): Promise<void>;
  cancel(): Promise<void>;
  /** @throws {QueueFailed} where the broker sees no consumer on the queue. */
  verify(): Promise<void>;
}

export async function openConsumeLink(
  config: Config,
  options: ConsumerOptions,
  lost: (reason: Error) => void,
): Promise<Opened<ConsumeLink>> {
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
      log.warn(
        { err: undecodable, queue, messageId: message.properties.messageId },
        "a message has headers that can't be decoded",
      );
    onDelivery({
      message,
      acks,
      ...(undecodable && { undecodable }),
      ...(tooLargeBytes && { tooLargeBytes }),
    });
  }

  const link: ConsumeLink = {
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
