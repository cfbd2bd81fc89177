/** The harness's own connections: what publishes the load and counts the replies. It is idle while a worker is measured. */
import { join } from "node:path";
import type { Channel, ChannelModel, ConfirmChannel } from "amqplib";
import { Redis } from "ioredis";
import pg from "pg";
import { openConnection } from "../../shared/broker/connection.ts";
import { declareTopology, type Topology, topologyOf } from "../../shared/broker/topology.ts";
import type { WorkerDefinition } from "../../shared/engine/define-worker.ts";
import { migrate, readMigrations } from "../../shared/stores/migrate.ts";
import { brokerNames } from "../../shared/wire/names.ts";
import { bundleWorkers } from "../images/bundle.ts";
import { REPOSITORY } from "../repository.ts";
import { WORKERS } from "../workers.ts";
import { ID_PREFIX, PREFIX, REPLY_QUEUE } from "./load.ts";

export interface ServiceUrls {
  AMQP_URL: string;
  DATABASE_URL: string;
  REDIS_URL: string;
  RABBITMQ_MANAGEMENT_URL?: string;
}

export interface Harness {
  urls: ServiceUrls;
  names: ReturnType<typeof brokerNames>;
  broker: { product: string; version: string };
  model: ChannelModel;
  channel: ConfirmChannel;
  database: pg.Client;
  redis: Redis;
  /** Folder of the results and the workers' logs. */
  folder: string;
  /** Folder of the bundled workers. */
  bundles: string;
  topology: Topology;
}

export interface Engine {
  definition: WorkerDefinition;
  /** Its file, from the repository. */
  entry: string;
}

/** Bundles the engines, connects, migrates, and declares their topology under the benchmark's own prefix. */
export async function openHarness(
  urls: ServiceUrls,
  measured: Engine[],
  folder: string,
): Promise<Harness> {
  const engines = measured.map(({ definition }) => definition);
  const bundles = join(folder, "bundles");
  const entries = measured.map(({ entry }) => entry);
  await bundleWorkers(REPOSITORY, entries, bundles);
  const { model, profile } = await openConnection(
    { AMQP_URL: urls.AMQP_URL, AMQP_HEARTBEAT_S: 30, BROKER_PROFILE: "auto" },
    "tl-bench",
  );
  const names = brokerNames(PREFIX);
  const topology = topologyOf(engines, names, profile);
  await declareTopology(model, topology);
  const channel = await model.createConfirmChannel();
  await declareQueue(channel, REPLY_QUEUE);
  const database = new pg.Client({ connectionString: urls.DATABASE_URL });
  await database.connect();
  for (const { name } of engines)
    await migrate(database, await readMigrations(join(WORKERS, name)));
  const redis = new Redis(urls.REDIS_URL);
  const broker = {
    product: profile.product,
    version: String(model.connection.serverProperties.version),
  };
  return { urls, names, broker, model, channel, database, redis, folder, bundles, topology };
}

/** A durable quorum queue, the kind that every AMQP peer consumes from and replies to. */
export async function declareQueue(channel: Channel, queue: string): Promise<void> {
  await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum" } });
}

/** Removes what workers left in Redis: the more there is, the more it costs the next round to rewrite the AOF. */
export async function clearClaims({ redis }: Pick<Harness, "redis">): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${PREFIX}:*`, count: 1_000 }))
    if (keys.length > 0) await redis.unlink(keys);
}

/** Removes every trace from the services, which may be somebody's own, and disconnects. */
export async function closeHarness(harness: Harness, peerQueues: string[]): Promise<void> {
  const { channel, database, redis, model, topology } = harness;
  for (const queue of [...topology.queues.map(({ name }) => name), ...peerQueues, REPLY_QUEUE])
    await channel.deleteQueue(queue);
  for (const { name } of topology.exchanges) await channel.deleteExchange(name);
  await database.query("DELETE FROM engine.results WHERE job_id LIKE $1", [`${ID_PREFIX}%`]);
  await clearClaims(harness);
  await database.end();
  redis.disconnect();
  await model.close();
}
