/** Makes the services ready for the engine under test, with the product's own topology and migrations. */
import pg from "pg";
import { openConnection } from "../../../shared/broker/connection.ts";
import { declareTopology as declare, topologyOf } from "../../../shared/broker/topology.ts";
import { defineWorker } from "../../../shared/engine/define-worker.ts";
import { migrate, readMigrations } from "../../../shared/stores/migrate.ts";
import { BURIALS, brokerNames } from "../../../shared/wire/names.ts";
import definition from "./engine/index.ts";

/** The internal engine has no actions: the runtime reads each of its messages as a refused job. */
export const burials = defineWorker({
  name: BURIALS,
  concurrency: 16,
  timeoutMs: 10_000,
  actions: {},
});

/** @param deliveryLimit replaces the product's own; for a planted bug. */
export async function declareTopology(
  amqpUrl: string,
  prefix: string,
  deliveryLimit?: number,
): Promise<void> {
  const { model, profile } = await openConnection(
    { AMQP_URL: amqpUrl, AMQP_HEARTBEAT_S: 30, BROKER_PROFILE: "auto" },
    "crash-test",
  );
  try {
    const topology = topologyOf([definition], brokerNames(prefix), profile);
    if (deliveryLimit !== undefined)
      for (const queue of topology.queues) queue.arguments["x-delivery-limit"] = deliveryLimit;
    await declare(model, topology);
  } finally {
    await model.close();
  }
}

/** Removes all that {@link declareTopology} declared, where the broker is somebody else's. */
export async function removeTopology(amqpUrl: string, prefix: string): Promise<void> {
  const { model, profile } = await openConnection(
    { AMQP_URL: amqpUrl, AMQP_HEARTBEAT_S: 30, BROKER_PROFILE: "auto" },
    "crash-test",
  );
  try {
    const channel = await model.createChannel();
    const { queues, exchanges } = topologyOf([definition], brokerNames(prefix), profile);
    for (const { name } of queues) await channel.deleteQueue(name);
    for (const { name } of exchanges) await channel.deleteExchange(name);
  } finally {
    await model.close();
  }
}

export async function migrateDatabase(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await migrate(client, await readMigrations());
  } finally {
    await client.end();
  }
}
