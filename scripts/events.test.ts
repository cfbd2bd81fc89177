/** Whatever an engine may announce, those that subscribe to it must take: or an event dies where nobody waits for it. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Delivery } from "../shared/broker/consume.ts";
import type { EventSchemas } from "../shared/engine/define-worker.ts";
import { createReception, receive } from "../shared/job/receive.ts";
import { arbitraryOf } from "../shared/testing/schema-arbitrary.ts";
import { brokerNames } from "../shared/wire/names.ts";
import { loadWorkers } from "./workers.ts";

const definitions = (await loadWorkers()).map(({ definition }) => definition);
const subscriptions = definitions.flatMap((consumer) =>
  Object.keys(consumer.on ?? {}).map((type) => ({ consumer, type, engine: consumer.name })),
);
const announced = definitions.flatMap(({ name, actions }) =>
  Object.entries(actions).flatMap(([action, { emits = {} }]) =>
    Object.entries(emits as EventSchemas).map(([type, schema]) => ({
      type,
      schema,
      from: `${name}.${action}`,
    })),
  ),
);

test.each(subscriptions)("$engine subscribes to $type, which an engine announces", ({ type }) => {
  expect(announced.map((event) => event.type)).toContain(type);
});

const pairs = announced.flatMap((event) =>
  subscriptions
    .filter(({ type }) => type === event.type)
    .map(({ consumer }) => ({ ...event, consumer, to: consumer.name })),
);

test.each(pairs)("$to takes every $type that $from may announce", ({ type, schema, consumer }) => {
  const reception = createReception({
    definition: consumer,
    names: brokerNames(),
    replyToAllow: "",
    maxAgeMs: 1_000,
    runtimeUsers: [],
    isPublisherRequired: false,
  });
  fc.assert(
    fc.property(arbitraryOf(schema), (data) => {
      const content = Buffer.from(JSON.stringify(schema.parse(data)));
      // How large an event can get follows from its job, not from its schema.
      fc.pre(content.length <= reception.maxInputBytes);
      const properties = { messageId: "ev-1", type, contentType: "application/json" };
      const fields = { exchange: brokerNames().events, routingKey: type };
      const message = { content, properties, fields };
      const delivery = { message, acks: {} } as unknown as Delivery;
      const received = receive(delivery, reception, Date.now());
      expect(received.kind === "refused" ? received.problem : undefined).toBeUndefined();
    }),
    { numRuns: 100 },
  );
});
