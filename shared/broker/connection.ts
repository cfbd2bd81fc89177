/** Opens one AMQP connection and finds out which of the two brokers answers. */
import { type Channel, type ChannelModel, connect } from "amqplib";
import type { Config } from "../process/config.ts";
import { connectOptions } from "./address.ts";
import { coalesceWrites, guardDeliveries, sever } from "./amqplib-insides.ts";
import { BrokerFailure, explainFailure } from "./explain.ts";

/** What differs between the two brokers that we support; all else is identical. */
export interface BrokerProfile {
  product: "RabbitMQ" | "LavinMQ";
  /** Whether queues are declared as quorum queues. */
  quorum: boolean;
}

export interface Connection {
  model: ChannelModel;
  profile: BrokerProfile;
}

export type BrokerConfig = Pick<Config, "AMQP_URL" | "AMQP_HEARTBEAT_S" | "BROKER_PROFILE">;

const CONNECT_TIMEOUT_MS = 10_000;

/** The broker is one that was never tried. */
export class UnknownBroker extends BrokerFailure {
  override readonly name = "UnknownBroker";
}

/**
 * @param name shown in the broker's list of connections.
 * @param maxBodyBytes a larger body is not taken in, see {@link guardDeliveries}. Default: any is.
 * @throws {UnknownBroker} or what the socket or the broker said.
 */
export async function openConnection(
  config: BrokerConfig,
  name: string,
  maxBodyBytes = Number.POSITIVE_INFINITY,
): Promise<Connection> {
  const model = await connect(connectOptions(config.AMQP_URL, config.AMQP_HEARTBEAT_S), {
    clientProperties: { connection_name: name },
    timeout: CONNECT_TIMEOUT_MS,
    noDelay: true,
    keepAlive: true,
  });
  // Whoever opens the connection listens to "close"; an error is always followed by it.
  model.on("error", () => {});
  try {
    coalesceWrites(model);
    guardDeliveries(model, maxBodyBytes);
    return { model, profile: profileOf(model, config.BROKER_PROFILE) };
  } catch (error) {
    await model.close().catch(() => {});
    throw error;
  }
}

/**
 * The first connection of a tool, whose failure somebody reads.
 * @throws {StartFailure}
 */
export async function openFirstConnection(config: BrokerConfig, name: string): Promise<Connection> {
  try {
    return await openConnection(config, name);
  } catch (error) {
    throw await explainFailure(error, config.AMQP_URL);
  }
}

function profileOf(model: ChannelModel, configured: BrokerConfig["BROKER_PROFILE"]): BrokerProfile {
  const product = String(model.connection.serverProperties.product);
  if (configured === "rabbitmq" || (configured === "auto" && product === "RabbitMQ"))
    return { product: "RabbitMQ", quorum: true };
  if (configured === "lavinmq" || (configured === "auto" && product === "LavinMQ"))
    return { product: "LavinMQ", quorum: false };
  throw new UnknownBroker(
    `the broker calls itself ${JSON.stringify(product)}, which was never tried; set BROKER_PROFILE to rabbitmq or lavinmq to use it all the same`,
  );
}

const CLOSE_TIMEOUT_MS = 5_000;

/** Resolves when the channel has ended in whatever way: amqplib's `close` waits for ever where its connection is lost. */
export function closeChannel(channel: Channel): Promise<void> {
  return new Promise((resolve) => {
    channel.once("close", resolve);
    channel.close().then(resolve, () => resolve());
  });
}

/**
 * Closes a connection, and resolves when it has ended in whatever way: amqplib's own `close` waits for ever where
 * the connection is lost meanwhile.
 * @param channels closed first: what was sent on them last, such as acks, would otherwise be overtaken by the end.
 */
export async function closeConnection(
  model: ChannelModel,
  channels: readonly Channel[] = [],
): Promise<void> {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  model.once("close", () => resolve());
  const close = async () => {
    await Promise.all(channels.map(closeChannel));
    await model.close();
  };
  // It is closed already, or closing.
  close().then(resolve, () => resolve());
  const timer = setTimeout(() => {
    sever(model, new Error("the broker did not answer the end of the connection"));
    resolve();
  }, CLOSE_TIMEOUT_MS);
  await closed;
  clearTimeout(timer);
}
