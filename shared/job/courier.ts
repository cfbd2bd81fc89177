/** Takes replies and events to queues that are not ours: each gets its chance, and holds nobody else up. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Published, Publisher } from "../broker/publish.ts";
import type { Outgoing } from "../broker/publish-frames.ts";

export interface CourierOptions {
  publisher: Publisher;
  log: Logger;
  onUndelivered(what: "reply" | "event", why: Exclude<Published, "routed">): void;
  /** Ends waits when the worker gives up. */
  signal: AbortSignal;
}

/** I2. Neither rejects but for the signal: what can't be delivered is counted and logged, and its result stays readable by id. */
export interface Courier {
  reply(outgoing: Outgoing, jobId: string | undefined): Promise<void>;
  event(outgoing: Outgoing): Promise<void>;
}

/**
 * I2. A queue that refuses may be full, which its owner has to end, or about to move to another node, which passes.
 * The first message that meets it waits this long in all; those that follow are given up at once.
 */
const PATIENCE_MS = [250, 750, 2_000];
const REFUSING_MS = 30_000;
/** Of as many targets the worker remembers that they refuse. */
const MAX_REMEMBERED = 1_000;

export function createCourier(options: CourierOptions): Courier {
  const { publisher, log, signal, onUndelivered } = options;
  /** Until when, by target; on the monotonic clock. */
  const refusing = new Map<string, number>();

  async function publish(outgoing: Outgoing): Promise<Published> {
    const published = await publisher.publish(outgoing, signal);
    return published === "refused" ? insist(outgoing) : published;
  }

  function note(target: string): void {
    if (refusing.size >= MAX_REMEMBERED) refusing.clear();
    refusing.set(target, performance.now() + REFUSING_MS);
  }

  async function insist(outgoing: Outgoing): Promise<Published> {
    const target = `${outgoing.exchange}/${outgoing.routingKey}`;
    if ((refusing.get(target) ?? 0) > performance.now()) return "refused";
    // Before the first wait, so that those that meet it meanwhile don't wait as well.
    note(target);
    for (const delayMs of PATIENCE_MS) {
      await sleep(delayMs, undefined, { signal });
      const published = await publisher.publish(outgoing, signal);
      if (published === "refused") continue;
      refusing.delete(target);
      return published;
    }
    note(target);
    return "refused";
  }

  return {
    async reply(outgoing, jobId) {
      const published = await publish(outgoing);
      if (published === "routed") return;
      const { routingKey: replyTo } = outgoing;
      // Direct reply-to addresses are always returned by RabbitMQ 3.10, also when the reply arrived.
      if (published === "returned" && replyTo.startsWith("amq.rabbitmq.reply-to.")) return;
      const { exchange } = outgoing;
      const why = exchange !== "" && published === "returned" ? UNBOUND : REPLY_WORDS[published];
      log.warn({ jobId, replyTo, ...(exchange && { exchange }), why: published }, why);
      onUndelivered("reply", published);
    },
    async event(outgoing) {
      const published = await publish(outgoing);
      // Nobody has to subscribe.
      if (published === "routed" || published === "returned") return;
      log.error(
        { event: outgoing.messageId, type: outgoing.type, why: published, alert: "event_refused" },
        "an event did not reach every queue that is bound to it; it stays in its result's row",
      );
      onUndelivered("event", published);
    },
  };
}

const UNBOUND =
  "no queue is bound to REPLY_EXCHANGE under the name in reply_to; the result stays readable by id";
const REPLY_WORDS = {
  returned: "nobody listens on reply_to; the result stays readable by id",
  refused: "the queue of reply_to is full or closed; the result stays readable by id",
  unconfirmed:
    "the broker confirms nothing that goes to reply_to, whose queue may have lost its leader; the result stays readable by id",
  unsendable: "the broker can't carry this reply; the result stays readable by id",
};
