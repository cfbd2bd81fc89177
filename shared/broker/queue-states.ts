/** Finds queues that the broker has given up, or that fill up, by the management API: no answer of AMQP tells them from good ones. */
import { vhostOf } from "./address.ts";
import { ask } from "./management.ts";

export interface ClosedQueue {
  name: string;
  /** The broker's own word, or `without a leader`. */
  state: string;
  /** What to do. */
  repair: string;
}

/** LavinMQ closes a queue after a torn write; RabbitMQ's stops, crashes, or has no leader (`down`). */
const GIVEN_UP = new Set(["closed", "stopped", "crashed", "down"]);

/** RabbitMQ goes on saying `running`, as it last heard, of a quorum queue that has lost its leader. */
const stateOf = ({ state, type, leader }: SeenQueue): string =>
  type === "quorum" && !leader && !GIVEN_UP.has(String(state)) ? WITHOUT_LEADER : String(state);
const WITHOUT_LEADER = "without a leader";

interface SeenQueue {
  name: string;
  state?: string;
  type?: string;
  /** Of a quorum queue: its node. */
  leader?: string;
  message_bytes?: number;
  arguments?: Record<string, unknown>;
}

async function queuesOf(managementUrl: string, amqpUrl: string, queues: string[]) {
  const vhost = vhostOf(amqpUrl);
  const found = (await ask(managementUrl, "GET", ["queues", vhost])) as SeenQueue[];
  const ours = new Set(queues);
  return found.filter(({ name }) => ours.has(name));
}

export interface FillingQueue {
  name: string;
  bytes: number;
  /** Its bound. */
  keptBytes: number;
}

/** Of its bound a queue may be full so far before it is told: time to look before anything is dropped. */
const FILLING = 0.5;

/**
 * Queues with a bound by bytes that are half full.
 * @throws {ManagementError}
 */
export async function fillingQueues(
  managementUrl: string,
  amqpUrl: string,
  queues: string[],
): Promise<FillingQueue[]> {
  const found = await queuesOf(managementUrl, amqpUrl, queues);
  return found.flatMap(({ name, message_bytes: bytes = 0, arguments: args = {} }) => {
    const keptBytes = args["x-max-length-bytes"];
    return typeof keptBytes === "number" && bytes >= FILLING * keptBytes
      ? [{ name, bytes, keptBytes }]
      : [];
  });
}

/** @throws {ManagementError} */
export async function closedQueues(
  managementUrl: string,
  amqpUrl: string,
  queues: string[],
): Promise<ClosedQueue[]> {
  const vhost = vhostOf(amqpUrl);
  return (await queuesOf(managementUrl, amqpUrl, queues))
    .map((queue) => ({ name: queue.name, state: stateOf(queue) }))
    .filter(({ state }) => state === WITHOUT_LEADER || GIVEN_UP.has(state))
    .map(({ name, state }) => ({ name, state, repair: repairOf(vhost, name, state) }));
}

function repairOf(vhost: string, name: string, state: string): string {
  if (state !== "closed") return "restart the broker, or see its log";
  const path = ["queues", vhost, name].map(encodeURIComponent).join("/");
  return `curl -X PUT "$RABBITMQ_MANAGEMENT_URL/api/${path}/restart", or restart the broker`;
}
