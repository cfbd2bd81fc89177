/**
 * Declares every exchange, queue and binding: once at deploy, and daily, since shared plans delete idle queues.
 * What no definition has any more is unbound and told; PRUNE=1 deletes it where it is empty.
 */

import "../show/closed-pipe.ts";
import {
  type Connection,
  closeConnection,
  openFirstConnection,
} from "@tl-engine/shared/broker/connection";
import {
  findLeftovers,
  type KeptQueue,
  type Leftovers,
  prune,
  unbind,
} from "@tl-engine/shared/broker/leftovers";
import { ManagementError } from "@tl-engine/shared/broker/management";
import { closedQueues, fillingQueues } from "@tl-engine/shared/broker/queue-states";
import { declareTopology, type Topology, topologyOf } from "@tl-engine/shared/broker/topology";
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
    await tidy(model, topology);
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

/** Declaring adds only: what engines and subscriptions that are gone left behind would go on being filled. */
async function tidy(model: Connection["model"], topology: Topology): Promise<void> {
  const { RABBITMQ_MANAGEMENT_URL: managementUrl, AMQP_URL, ENGINE_PREFIX } = config;
  const isPruning = process.env.PRUNE === "1";
  if (managementUrl === undefined) {
    if (isPruning)
      throw new StartFailure(
        "broker",
        "RABBITMQ_MANAGEMENT_URL",
        "PRUNE=1 needs RABBITMQ_MANAGEMENT_URL: AMQP lists no queues",
        { temporary: false },
      );
    return;
  }
  try {
    const left = await findLeftovers(managementUrl, AMQP_URL, ENGINE_PREFIX, topology);
    await unbind(model, left.bindings);
    for (const { queue, exchange, routingKey } of left.bindings)
      console.log(
        `topology: unbound ${printable(queue)} from ${exchange} (${printable(routingKey)}): no definition has it any more`,
      );
    if (isPruning) return tellPruned(left, await prune(model, left));
    for (const name of left.queues)
      console.error(
        `topology: the queue ${printable(name)} is no engine's any more: empty it (make replay, or a consumer of your own), then make topology PRUNE=1`,
      );
  } catch (error) {
    if (!(error instanceof ManagementError)) throw error;
    console.error(
      `topology: whether queues of removed engines are left can't be seen: ${printable(error.message)}`,
    );
    if (isPruning) process.exitCode = EXIT_TEMPORARY;
  }
}

function tellPruned({ queues, exchanges }: Leftovers, kept: KeptQueue[]): void {
  const names = new Set(kept.map(({ name }) => name));
  for (const name of new Set([...queues, ...exchanges]))
    if (!names.has(name)) console.log(`topology: deleted ${printable(name)}`);
  for (const { name, messages, consumers } of kept)
    console.error(
      `topology: the queue ${printable(name)} was not deleted: it holds ${messages} messages and has ${consumers} consumers`,
    );
  if (kept.length > 0) process.exitCode = EXIT_TEMPORARY;
}

try {
  await declare();
} catch (error) {
  if (!(error instanceof StartFailure)) throw error;
  console.error(`topology: ${printableLines(error.message)}`);
  process.exitCode = error.temporary ? EXIT_TEMPORARY : EXIT_MISCONFIGURED;
}
