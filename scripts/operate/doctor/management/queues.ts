/** How the queues are now: without a leader, without a reader, nearly full. */

import { lanesOf } from "@tl-engine/shared/broker/lanes";
import { closedQueues, fillingQueues } from "@tl-engine/shared/broker/queue-states";
import { type Check, failure, ok, warning } from "../check.ts";
import type { Management } from "./source.ts";

const namesOf = ({ topology }: Management) => topology.queues.map(({ name }) => name);

export const leaders: Check<Management> = {
  name: "leaders",
  looksAt: "every queue has a leader and is open",
  async run(source) {
    const closed = await closedQueues(source.url, source.amqpUrl, namesOf(source));
    const [first] = closed;
    if (first === undefined) return ok("all queues are open");
    return failure(
      `${closed.length} queues give nothing`,
      `${closed.map(({ name, state }) => `${name} is ${state}`).join(", ")}: the broker has given them up, and declaring does not bring them back`,
      first.repair,
    );
  },
};

export const unread: Check<Management> = {
  name: "consumers",
  looksAt: "no jobs wait where nobody reads",
  async run({ queues }, { names, workers }) {
    const read = new Set(
      workers.flatMap(({ definition: { name } }) =>
        lanesOf(name).map((lane) => names.queue(name, lane)),
      ),
    );
    const waiting = queues.filter(
      ({ name, consumers = 0, messages_ready: ready = 0 }) =>
        read.has(name) && consumers === 0 && ready > 0,
    );
    if (waiting.length === 0) return ok("no jobs wait for a reader");
    return warning(
      `${waiting.length} queues wait for a reader`,
      `${waiting.map(({ name, messages_ready }) => `${name} (${messages_ready})`).join(", ")}: the worker is about to start, or KEDA does not start it`,
      `kubectl get scaledobject,pods, or make worker NAME=<engine>`,
    );
  },
};

export const filling: Check<Management> = {
  name: "filling",
  looksAt: "what a person has to empty is not half full",
  async run(source) {
    const full = await fillingQueues(source.url, source.amqpUrl, namesOf(source));
    if (full.length === 0) return ok("none is half full");
    return warning(
      `${full.length} queues fill up`,
      `${full.map(({ name, bytes, keptBytes }) => `${name} holds ${bytes} of ${keptBytes} bytes`).join(", ")}: past that the oldest is dropped`,
      "make dead-letters",
    );
  },
};
