/** Whether the broker waits for an ack for as long as the longest job takes. */

import { lanesOf } from "@tl-engine/shared/broker/lanes";
import { exitDeadlineMs } from "../../../../shared/engine/deadlines.ts";
import { type Check, failure, ok } from "../check.ts";
import type { Management, SeenQueue } from "./source.ts";

/** RabbitMQ's default, 30 min: https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout */
const DEFAULT_MS = 1_800_000;

/** Of a queue, by a policy or by an argument; the node's own is told by no API. */
function timeoutOf({ effective_policy_definition: policy, arguments: args }: SeenQueue) {
  const told = [policy?.["consumer-timeout"], args?.["x-consumer-timeout"]].map(Number);
  return Math.min(...told.filter((ms) => Number.isFinite(ms) && ms > 0), Number.POSITIVE_INFINITY);
}

export const consumerTimeout: Check<Management> = {
  name: "consumer-timeout",
  looksAt: "the broker waits longer for an ack than the longest job takes",
  async run({ queues, vhost }, { workers, names }) {
    const short = workers.flatMap(({ definition }) => {
      const needMs = exitDeadlineMs(definition);
      const own = lanesOf(definition.name).map((lane) => names.queue(definition.name, lane));
      return queues
        .filter(({ name }) => own.includes(name))
        .map((queue) => ({
          name: queue.name,
          needMs,
          hasMs: Math.min(timeoutOf(queue), DEFAULT_MS),
        }))
        .filter(({ hasMs }) => hasMs <= needMs);
    });
    if (short.length === 0)
      return ok("longer, unless the broker's own consumer_timeout was lowered, which no API tells");
    return failure(
      `too short for ${short.length} queues`,
      `${short.map(({ name, hasMs, needMs }) => `${name} is cut off after ${hasMs / 1_000} s and may need ${needMs / 1_000} s`).join(", ")}: a long job is delivered again while it runs`,
      `rabbitmqctl list_policies -p '${vhost}', or lower the engine's timeoutMs`,
    );
  },
};
