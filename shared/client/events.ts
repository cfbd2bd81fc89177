/** Subscribes to what engines announce on the topic exchange. */
import type { AMQPChannel, AMQPMessage } from "@cloudamqp/amqp-client";
import type { Link, Report } from "./link.ts";
import { OnceConsumer } from "./once-consumer.ts";
import { ensureDurableQueue } from "./replies.ts";

/** An event as a handler gets it. Events promise no order. */
export interface EngineEvent<Type extends string = string, Body = unknown> {
  /** The same on every resend; what to deduplicate by. */
  id: string;
  type: Type;
  body: Body;
}

export interface EventOptions {
  /**
   * Name of a durable queue, so that events are kept while nobody listens. Without it, only what is
   * announced while this subscription stands arrives.
   */
  queue?: string;
  /** Handlers that run at once. Default 32. */
  concurrency?: number;
}

export function subscribe(
  link: Link,
  exchange: string,
  patterns: readonly string[],
  handler: (event: EngineEvent) => void | Promise<void>,
  options: EventOptions & { report: Report },
): OnceConsumer<EngineEvent> {
  const { queue, concurrency = 32, report } = options;
  return new OnceConsumer<EngineEvent>(link, {
    declare: async (channel: AMQPChannel) => {
      if (queue !== undefined) await ensureDurableQueue(channel.connection, queue);
      const name = queue ?? (await channel.queueDeclare("", { exclusive: true })).name;
      for (const pattern of patterns) await channel.queueBind(name, exchange, pattern);
      return name;
    },
    read: readEvent,
    handler,
    concurrency,
    report,
  });
}

function readEvent(message: AMQPMessage): { messageId: string; message: EngineEvent } | undefined {
  const { messageId, type } = message.properties;
  if (!messageId || !type) return undefined;
  try {
    const body: unknown = JSON.parse(message.bodyString() ?? "");
    return { messageId, message: { id: messageId, type, body } };
  } catch {
    return undefined;
  }
}
