/** Makes the services ready for the engine under test, with the product's own topology and migrations. */

import { brokerNames } from "../../shared/client/wire.ts";
import { openConnection } from "../../shared/connection.ts";
import { declareTopology as declare, topologyOf } from "../../shared/topology.ts";
import definition from "./engine/index.ts";

export async function declareTopology(amqpUrl: string, prefix: string): Promise<void> {
  const { model, profile } = await openConnection(
    { AMQP_URL: amqpUrl, AMQP_HEARTBEAT_S: 30, BROKER_PROFILE: "auto" },
    "crash-test",
  );
  try {
    await declare(model, topologyOf([definition], brokerNames(prefix), profile));
  } finally {
    await model.close();
  }
}

export async function migrate(_postgresUrl: string): Promise<void> {
  throw new Error("not yet");
}
