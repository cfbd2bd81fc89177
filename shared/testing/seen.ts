/** Messages as they come out of a fleet, and the wait for what a test looks for. */
import type { ConfirmChannel, ConsumeMessage } from "amqplib";

/** A reply, an event or a dead letter, as it came out. */
export interface Seen {
  id: string;
  correlationId: string;
  type: string;
  text: string;
  headers: Record<string, unknown>;
  properties: ConsumeMessage["properties"];
}

const WITHIN_MS = 60_000;
const POLL_MS = 20;

export function see({ properties, content }: Pick<ConsumeMessage, "properties" | "content">): Seen {
  return {
    id: String(properties.messageId),
    correlationId: String(properties.correlationId),
    type: String(properties.type),
    text: content.toString(),
    headers: properties.headers ?? {},
    properties,
  };
}

/** Takes all messages out of a queue. */
export async function drain(channel: ConfirmChannel, queue: string): Promise<Seen[]> {
  const found: Seen[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) return found;
    found.push(see(message));
  }
}

/** Looks until something is found; fails with `what` is missing. */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  withinMs = WITHIN_MS,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
