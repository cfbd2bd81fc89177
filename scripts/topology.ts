/** Declares every exchange, queue and binding: once at deploy, and daily, since shared plans delete idle queues. */

import { openConnection } from "@tl-engine/shared/broker/connection";
import { declareTopology, topologyOf } from "@tl-engine/shared/broker/topology";
import { brokerNames } from "@tl-engine/shared/wire/names";
import { readEnvironment } from "./environment.ts";
import { loadWorkers } from "./workers.ts";

const config = readEnvironment({
  AMQP_URL: true,
  AMQP_HEARTBEAT_S: true,
  BROKER_PROFILE: true,
  ENGINE_PREFIX: true,
});

const workers = await loadWorkers();
const { model, profile } = await openConnection(config, "topology");
try {
  const names = brokerNames(config.ENGINE_PREFIX);
  const engines = workers.map(({ definition }) => definition);
  const topology = topologyOf(engines, names, profile);
  await declareTopology(model, topology);
  const { exchanges, queues, bindings } = topology;
  console.log(
    `topology: broker=${profile.product} exchanges=${exchanges.length} queues=${queues.length} bindings=${bindings.length}`,
  );
} finally {
  await model.close();
}
