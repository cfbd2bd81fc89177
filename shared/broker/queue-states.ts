/** Finds queues that the broker has given up, by the management API: no answer of AMQP tells them from good ones. */
import { vhostOf } from "./address.ts";
import { ask } from "./management.ts";

export interface ClosedQueue {
  name: string;
  /** The broker's own word. */
  state: string;
  /** What to do. */
  repair: string;
}

/** LavinMQ closes a queue after a torn write; RabbitMQ's stops, crashes, or has no leader (`down`). */
const GIVEN_UP = new Set(["closed", "stopped", "crashed", "down"]);

/** @throws {ManagementError} */
export async function closedQueues(
  managementUrl: string,
  amqpUrl: string,
  queues: string[],
): Promise<ClosedQueue[]> {
  const vhost = vhostOf(amqpUrl);
  const found = (await ask(managementUrl, "GET", ["queues", vhost])) as {
    name: string;
    state?: string;
  }[];
  const ours = new Set(queues);
  return found
    .filter(({ name, state }) => ours.has(name) && GIVEN_UP.has(String(state)))
    .map(({ name, state }) => ({
      name,
      state: String(state),
      repair: repairOf(vhost, name, state),
    }));
}

function repairOf(vhost: string, name: string, state: string | undefined): string {
  if (state !== "closed") return "restart the broker, or see its log";
  const path = ["queues", vhost, name].map(encodeURIComponent).join("/");
  return `curl -X PUT "$RABBITMQ_MANAGEMENT_URL/api/${path}/restart", or restart the broker`;
}
