/** Publishes on a connection of its own: persistent, confirmed, whitelisted properties, returns noticed. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ConfirmChannel } from "amqplib";
import type { Logger } from "pino";
import { HEADERS } from "./client/wire.ts";
import type { Config } from "./config.ts";
import { type BrokerConfig, openConnection } from "./connection.ts";
import { supervise } from "./supervise.ts";

/** Everything that we ever put on a message: nothing is copied from a delivery. */
export interface Outgoing {
  exchange: string;
  routingKey: string;
  body: Buffer;
  messageId: string | undefined;
  type: string | undefined;
  /** Whether a message that reaches no queue counts as failed. Events have no such duty. */
  mandatory: boolean;
  correlationId?: string | undefined;
  replyTo?: string | undefined;
  headers?: Record<string, string | number>;
  /** Epoch seconds, as AMQP has it. Default: now. */
  timestamp?: number | undefined;
  contentType?: string;
}

export type Published = "routed" | "returned";

export interface Publisher {
  /**
   * Resolves once the broker confirmed the message, over as many connections as that takes.
   * Rejects only when `signal` aborts or the publisher was closed.
   */
  publish(outgoing: Outgoing, signal?: AbortSignal): Promise<Published>;
  ready(): boolean;
  close(): Promise<void>;
}

interface Link {
  /** @param onEnd told once: what became of the message, or why the broker did not take it. */
  send(outgoing: Outgoing, onEnd: (error: Error | null, published: Published) => void): void;
}

const REFUSED_DELAY_MS = 500;
const APP_ID = "tl-engine";
const PERSISTENT = 2;

/** Resolves when the first connection stands. */
export async function openPublisher(
  config: BrokerConfig & Pick<Config, "WORKER_ID">,
  engine: string,
  log: Logger,
): Promise<Publisher> {
  const supervised = await supervise<Link>(
    "publisher",
    async (lost) => {
      const { model } = await openConnection(config, `${engine} publisher ${config.WORKER_ID}`);
      const channel = await model.createConfirmChannel();
      let reason = new Error("the connection was closed");
      channel.on("error", (error) => {
        reason = error;
      });
      channel.on("close", () => lost(reason));
      model.on("close", (error) => lost(error ?? reason));
      model.on("blocked", (why) => log.warn({ why }, "the broker blocks publishing"));
      model.on("unblocked", () => log.info("the broker takes publishes again"));
      return { link: confirmed(channel), close: () => model.close() };
    },
    log,
  );

  function publish(outgoing: Outgoing, signal?: AbortSignal): Promise<Published> {
    const link = supervised.current();
    if (link === undefined) return supervised.get(signal).then(() => publish(outgoing, signal));
    return new Promise((resolve) => {
      link.send(outgoing, (error, published) => {
        resolve(error === null ? published : publishAgain(link, outgoing, error, signal));
      });
    });
  }

  async function publishAgain(
    link: Link,
    outgoing: Outgoing,
    error: Error,
    signal: AbortSignal | undefined,
  ): Promise<Published> {
    signal?.throwIfAborted();
    // A nack leaves the link open: the target is full or closed. Asking again at once would spin.
    if (supervised.current() === link) {
      log.warn(
        { err: error, to: outgoing.routingKey },
        "the broker refused a message, trying again",
      );
      await sleep(REFUSED_DELAY_MS, undefined, signal ? { signal } : {});
    }
    return publish(outgoing, signal);
  }

  return {
    publish,
    ready: () => supervised.current() !== undefined,
    close: () => supervised.close(),
  };
}

/**
 * What a ConfirmChannel's `publish` does once it has read its options. That reading makes the headers
 * the prototype of another object, which costs V8 as much as all the rest of a publish.
 */
interface SendingChannel extends ConfirmChannel {
  sendMessage(method: MessageFields, properties: MessageFields, body: Buffer): boolean;
  pushConfirmCallback(onConfirm: (error: Error | null) => void): void;
}

function confirmed(channel: ConfirmChannel): Link {
  const sending = channel as SendingChannel;
  let sequence = 0;
  // basic.return carries no tag, so each mandatory message has a number in a header; it comes before the ack.
  const returned = new Set<number>();
  channel.on("return", ({ properties }) => {
    const number = properties.headers?.[HEADERS.publish];
    if (typeof number === "number") returned.add(number);
  });
  return {
    send(outgoing, onEnd) {
      const number = ++sequence;
      const fields = fieldsOf(outgoing, number);
      try {
        sending.sendMessage(fields, fields, outgoing.body);
      } catch (error) {
        // The channel has closed, or is about to.
        onEnd(error as Error, "routed");
        return;
      }
      sending.pushConfirmCallback((error) => {
        const isReturned = returned.size > 0 && returned.delete(number);
        onEnd(error, isReturned ? "returned" : "routed");
      });
    },
  };
}

/** The fields of basic.publish and the message's properties, each undefined where it is left out. */
function fieldsOf(outgoing: Outgoing, number: number) {
  const headers = outgoing.headers ?? {};
  if (outgoing.mandatory) headers[HEADERS.publish] = number;
  return {
    ticket: undefined,
    exchange: outgoing.exchange,
    routingKey: outgoing.routingKey,
    mandatory: outgoing.mandatory,
    immediate: false,
    contentType: outgoing.contentType ?? "application/json",
    contentEncoding: undefined,
    headers,
    deliveryMode: PERSISTENT,
    priority: undefined,
    correlationId: outgoing.correlationId,
    replyTo: outgoing.replyTo,
    expiration: undefined,
    messageId: outgoing.messageId,
    timestamp: outgoing.timestamp ?? Math.floor(Date.now() / 1000),
    type: outgoing.type,
    userId: undefined,
    appId: APP_ID,
    clusterId: undefined,
  };
}
type MessageFields = ReturnType<typeof fieldsOf>;
