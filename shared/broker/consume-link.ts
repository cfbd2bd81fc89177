/** One connection that consumes an engine's queues, a channel for each: each delivery goes on with the acks of its channel. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import type { Config } from "../process/config.ts";
import { brokerNames, type Lane } from "../wire/names.ts";
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
export const DEFAULT_MAX_BODY_BYTES = 16 * 1024 * 1024;
/** While a queue elects its leader, RabbitMQ may count none. */
const LOOKS = 3;
const LOOK_DELAY_MS = 500;

export interface ConsumeLink {
  /** Whether each queue has its consumer. */
  readonly consuming: boolean;
  /** @throws {QueueFailed} */
  consume(): Promise<void>;
  cancel(): Promise<void>;
  /** @throws {QueueFailed} where the broker sees no consumer on a queue. */
  verify(): Promise<void>;
}

export interface LinkOptions extends ConsumerOptions {
  /** How many deliveries to ask for now, of the most that the lane may hold. */
  prefetchOf(most: number): number;
}

interface LaneLink extends ConsumeLink {
  channel: Channel;
  acks: Acks;
}

export async function openConsumeLink(
  config: Config,
  options: LinkOptions,
  lost: (reason: Error) => void,
): Promise<Opened<ConsumeLink>> {
  const { engine, prefetch, bulkPrefetch, maxBodyBytes = DEFAULT_MAX_BODY_BYTES } = options;
  const names = brokerNames(config.ENGINE_PREFIX);
  const name = `${engine} consumer ${config.WORKER_ID}`;
  const wanted: [Lane, number][] = [["interactive", prefetch]];
  if (bulkPrefetch !== undefined) wanted.push(["bulk", bulkPrefetch]);
  const { model } = await openConnection(config, name, maxBodyBytes);
  try {
    const needed = { lanes: wanted.map(([lane]) => lane), replyExchange: config.REPLY_EXCHANGE };
    await verifyTopology(model, engine, names, needed);
    const lanes: LaneLink[] = [];
    for (const [lane, most] of wanted) {
      const queue = names.queue(engine, lane);
      lanes.push(await openLane(model, { ...options, prefetch: most, queue, lane, lost }));
    }
    const close = async () => {
      for (const { acks } of lanes) {
        acks.flush();
        acks.close();
      }
      await closeConnection(
        model,
        lanes.map(({ channel }) => channel),
      );
    };
    return { link: together(lanes), close };
  } catch (error) {
    await closeConnection(model);
    throw error;
  }
}

/** One lane without its consumer would starve its jobs unseen, so none consumes unless all do. */
function together(lanes: readonly ConsumeLink[]): ConsumeLink {
  return {
    get consuming() {
      return lanes.every(({ consuming }) => consuming);
    },
    async consume() {
      for (const lane of lanes) if (!lane.consuming) await lane.consume();
    },
    async cancel() {
      await Promise.all(lanes.map((lane) => lane.cancel()));
    },
    async verify() {
      await Promise.all(lanes.map((lane) => lane.verify()));
    },
  };
}

interface LaneOptions extends LinkOptions {
  queue: string;
  lane: Lane;
  lost(reason: Error): void;
}

async function openLane(model: ChannelModel, options: LaneOptions): Promise<LaneLink> {
  const channel = await model.createChannel();
  const acks = new Acks(channel, options.onStaleAck);
  let reason = new Error("the connection was closed");
  const end = (error?: Error) => {
    if (error !== undefined) reason = error;
    if (!acks.closed) acks.close();
    options.lost(reason);
  };
  channel.on("error", (error) => {
    reason = error;
  });
  channel.on("close", () => end());
  model.on("close", (error) => end(error));
  return consuming(channel, acks, options, end, () => reason);
}

function consuming(
  channel: Channel,
  acks: Acks,
  { queue, lane, prefetch, prefetchOf, onDelivery, log }: LaneOptions,
  end: (reason: Error) => void,
  reason: () => Error,
): LaneLink {
  let tag: string | undefined;
  function deliver(message: ConsumeMessage): void {
    const { undecodable, tooLargeBytes } = message.properties as Oddity;
    if (undecodable === undefined && tooLargeBytes === undefined) {
      void onDelivery({ message, acks, lane });
      return;
    }
    if (undecodable !== undefined)
      log.warn(
        { err: undecodable, queue, messageId: message.properties.messageId },
        "a message has headers that can't be decoded",
      );
    void onDelivery({
      message,
      acks,
      lane,
      ...(undecodable && { undecodable }),
      ...(tooLargeBytes && { tooLargeBytes }),
    });
  }

  const link: LaneLink = {
    channel,
    acks,
    get consuming() {
      return tag !== undefined;
    },
    async consume() {
      try {
        await channel.prefetch(prefetchOf(prefetch));
        const { consumerTag } = await channel.consume(queue, (message) => {
          if (message === null) end(new Error(`the broker cancelled the consumer of ${queue}`));
          else deliver(message);
        });
        tag = consumerTag;
      } catch (error) {
        if (!isInternalError(reason())) throw error;
        const message = `the broker fails on ${queue} (541 INTERNAL-ERROR): a quorum queue without a leader must be started again, or the broker`;
        throw new QueueFailed(message, { cause: reason() });
      }
      await link.verify();
    },
    async cancel() {
      const cancelled = tag;
      tag = undefined;
      if (cancelled !== undefined) await channel.cancel(cancelled);
    },
    async verify() {
      // A queue that LavinMQ closed after a torn write answers `consume`, yet it shows no consumer.
      for (let looks = 1; (await consumerCount(channel, queue)) === 0; looks++) {
        if (tag === undefined) return;
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
