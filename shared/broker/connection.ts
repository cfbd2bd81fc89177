/** Opens one AMQP connection and finds out which of the two brokers answers. */
import type { Socket } from "node:net";
import { type ChannelModel, connect } from "amqplib";
import type { Config } from "../process/config.ts";

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
export class UnknownBroker extends Error {
  override readonly name = "UnknownBroker";
}

/**
 * @param name shown in the broker's list of connections.
 * @throws {UnknownBroker} or what the socket or the broker said.
 */
export async function openConnection(config: BrokerConfig, name: string): Promise<Connection> {
  const url = new URL(config.AMQP_URL);
  // Asked for by name: LavinMQ proposes 300 s.
  url.searchParams.set("heartbeat", String(config.AMQP_HEARTBEAT_S));
  const model = await connect(url.href, {
    clientProperties: { connection_name: name },
    timeout: CONNECT_TIMEOUT_MS,
    noDelay: true,
    keepAlive: true,
  });
  // Whoever opens the connection listens to "close"; an error is always followed by it.
  model.on("error", () => {});
  coalesceWrites(model);
  try {
    return { model, profile: profileOf(model, config.BROKER_PROFILE) };
  } catch (error) {
    await model.close().catch(() => {});
    throw error;
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

/**
 * Ends a connection at once, without asking a broker that may no longer answer: its "close" comes with the
 * given reason, and whatever waits on it fails.
 */
export function sever(model: ChannelModel, reason: Error): void {
  socketOf(model)?.destroy(reason);
}

const socketOf = (model: ChannelModel) =>
  (model.connection as unknown as { stream?: Socket }).stream;

/**
 * amqplib writes every frame to the socket by itself, a system call each. Here all frames of one turn
 * of the event loop leave in one piece.
 */
function coalesceWrites(model: ChannelModel): void {
  const socket = socketOf(model);
  if (typeof socket?.write !== "function") return;
  const write = socket.write.bind(socket);
  let frames: Buffer[] = [];
  const flush = () => {
    const [first] = frames;
    const together = frames.length === 1 && first !== undefined ? first : Buffer.concat(frames);
    frames = [];
    write(together);
  };
  socket.write = ((frame: Buffer) => {
    if (frames.push(frame) === 1) process.nextTick(flush);
    return socket.writableLength < socket.writableHighWaterMark;
  }) as typeof socket.write;
}
