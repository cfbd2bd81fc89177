/** Sends single jobs and waits for their replies, for the parts that measure time rather than throughput. */
import type { Harness } from "./harness.ts";
import type { AmqpJob } from "./lanes.ts";
import { REPLY_QUEUE } from "./load.ts";

const REPLY_TIMEOUT_MS = 30_000;

export interface Caller {
  /** Publishes a job; resolves with the moment (performance.now) at which its reply arrived. */
  call(exchange: string, routingKey: string, id: string, job: AmqpJob): Promise<number>;
  close(): Promise<void>;
}

/** Consumes the durable reply queue, as a caller's process does. */
export async function openCaller({ model, channel }: Harness): Promise<Caller> {
  const waiting = new Map<string, (atMs: number) => void>();
  const consuming = await model.createChannel();
  await consuming.purgeQueue(REPLY_QUEUE);
  await consuming.consume(
    REPLY_QUEUE,
    (message) => {
      const atMs = performance.now();
      const id = String(message?.properties.correlationId);
      waiting.get(id)?.(atMs);
      waiting.delete(id);
    },
    { noAck: true },
  );
  return {
    call(exchange, routingKey, id, { type, body }) {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      const late = new Error(`no reply to ${id} within ${REPLY_TIMEOUT_MS} ms`);
      const timer = setTimeout(reject, REPLY_TIMEOUT_MS, late);
      waiting.set(id, resolve);
      channel.publish(exchange, routingKey, body, {
        persistent: true,
        contentType: "application/json",
        messageId: id,
        correlationId: id,
        replyTo: REPLY_QUEUE,
        type,
      });
      return promise.finally(() => clearTimeout(timer));
    },
    close: () => consuming.close(),
  };
}
