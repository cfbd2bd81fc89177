/** Declares every exchange, queue and binding: once at deploy, and daily, since shared plans delete idle queues. */

import { closeConnection, openFirstConnection } from "@tl-engine/shared/broker/connection";
import { closedQueues, fillingQueues } from "@tl-engine/shared/broker/queue-states";
import { declareTopology, topologyOf } from "@tl-engine/shared/broker/topology";
import { StartFailure } from "@tl-engine/shared/process/start-failure";
import { brokerNames } from "@tl-engine/shared/wire/names";
import { printable, printableLines } from "../show/terminal/printable.ts";
import { loadWorkers } from "../workers.ts";
import { readEnvironment } from "./environment.ts";

const EXIT_TEMPORARY = 1;
const EXIT_MISCONFIGURED = 2;

const config = readEnvironment({
  AMQP_URL: true,
  AMQP_HEARTBEAT_S: true,
  BROKER_PROFILE: true,
  ENGINE_PREFIX: true,
  REPLY_EXCHANGE: true,
  RABBITMQ_MANAGEMENT_URL: true,
});

async function declare(): Promise<void> {
  const workers = await loadWorkers();
  const { model, profile } = await openFirstConnection(config, "topology");
  try {
    const names = brokerNames(config.ENGINE_PREFIX);
    const engines = workers.map(({ definition }) => definition);
    const { REPLY_EXCHANGE: replyExchange } = config;
    const topology = topologyOf(engines, names, profile, { replyExchange });
    await declareTopology(model, topology);
    const { exchanges, queues, bindings } = topology;
    console.log(
      `topology: broker=${profile.product} exchanges=${exchanges.length} queues=${queues.length} bindings=${bindings.length} replies=${replyExchange || "default-exchange"}`,
    );
    await tellQueues(queues.map(({ name }) => name));
  } finally {
    await closeConnection(model);
  }
}

/** A queue that the broker has closed, or that will soon drop what it keeps, is declared as if nothing were wrong. */
async function tellQueues(queues: string[]): Promise<void> {
  const { RABBITMQ_MANAGEMENT_URL: managementUrl, AMQP_URL } = config;
  if (managementUrl === undefined) return;
  try {
    for (const { name, state, repair } of await closedQueues(managementUrl, AMQP_URL, queues))
      console.error(`topology: the queue ${name} is ${state} and gives nothing: ${repair}`);
    for (const { name, bytes, keptBytes } of await fillingQueues(managementUrl, AMQP_URL, queues))
      console.error(
        `topology: the queue ${name} holds ${bytes} of ${keptBytes} bytes, past which its oldest messages are dropped: see to it (make dead-letters)`,
      );
  } catch (error) {
    console.error(
      `topology: whether a queue is closed or fills up can't be seen: ${printable((error as Error).message)}`,
    );
  }
}

try {
  await declare();
} catch (error) {
  if (!(error instanceof StartFailure)) throw error;
  console.error(`topology: ${printableLines(error.message)}`);
  process.exitCode = error.temporary ? EXIT_TEMPORARY : EXIT_MISCONFIGURED;
}
