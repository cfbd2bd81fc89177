/** Ends what the bound of a queue that a person empties has dropped: told, counted and gone, never buried once more. */
import type { Logger } from "pino";
import type { Delivery } from "../broker/consume.ts";
import type { Metrics } from "../process/metrics.ts";
import { HEADERS } from "../wire/headers.ts";
import type { BrokerNames } from "../wire/names.ts";
import { lastDeath } from "./burials.ts";
import type { Courier } from "./courier.ts";
import { whoseJob } from "./failure-log.ts";
import type { Life } from "./life.ts";
import { replyMessage } from "./messages.ts";
import { failure } from "./outcome.ts";
import type { Received } from "./receive.ts";

export interface EvictionOptions {
  names: BrokerNames;
  /** REPLY_EXCHANGE; "" is the default one. */
  replyExchange: string;
  /** Never throws. */
  receive(delivery: Delivery): Received;
  courier: Pick<Courier, "reply">;
  metrics: Pick<Metrics, "evicted">;
  log: Logger;
}

interface Eviction {
  what: "dead letter" | "unrouted job";
  queue: string;
  /** The broker's word: `maxlen`, or `expired` and `delivery_limit`, which end a message as well. */
  reason: string;
}

/** Takes what was evicted to its end, and leaves all else to `life`. Like it, it never rejects. */
export function endEvictions(life: Life, options: EvictionOptions): Life {
  return (delivery) => {
    const eviction = evictionOf(delivery, options.names);
    return eviction === undefined ? life(delivery) : endEvicted(delivery, eviction, options);
  };
}

function evictionOf({ message }: Delivery, names: BrokerNames): Eviction | undefined {
  const death = lastDeath(message.properties.headers?.["x-death"]);
  if (death === undefined) return undefined;
  if (death.queue === names.unrouted) return { what: "unrouted job", ...death };
  const isGrave = death.queue.startsWith(`${names.prefix}.`) && death.queue.endsWith(".dead");
  return isGrave ? { what: "dead letter", ...death } : undefined;
}

async function endEvicted(
  delivery: Delivery,
  { what, queue, reason }: Eviction,
  { replyExchange, receive, courier, metrics, log }: EvictionOptions,
): Promise<void> {
  try {
    const received = receive(delivery);
    const fields = {
      ...whoseJob(received),
      of: received.engine,
      queue,
      reason: reason.slice(0, 40),
    };
    if (what === "dead letter") {
      const code = delivery.message.properties.headers?.[HEADERS.errorCode];
      const alert = "dead_letter_evicted";
      log.error({ ...fields, code, alert }, "a dead letter was dropped; its row in Postgres stays");
    } else {
      log.error({ ...fields, alert: "unrouted_evicted" }, "a job for no engine was dropped unrun");
      const reply = replyMessage(received, unroutedEnding(received), replyExchange);
      if (reply !== undefined) await courier.reply(reply, received.id);
    }
    metrics.evicted(what);
    delivery.acks.ack(delivery.message);
  } catch (error) {
    // The courier gives up only when the worker does.
    log.warn({ err: error, queue }, "what was dropped goes back to the burials");
    delivery.acks.handBack(delivery.message);
  }
}

function unroutedEnding({ engine, generation }: Received) {
  const code = "unknown_action";
  const message = `there is no engine ${engine}; the job waited for one until it was dropped`;
  return { body: failure({ code, message }, 0), how: code, generation, attempt: 0 };
}
