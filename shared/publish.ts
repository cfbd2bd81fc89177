/** Publishes on a connection of its own: persistent, confirmed, whitelisted properties, returns noticed. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ConfirmChannel, Options } from "amqplib";
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
  send(outgoing: Outgoing): Promise<Published>;
}

const REFUSED_DELAY_MS = 500;
const APP_ID = "tl-engine";

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

  return {
    async publish(outgoing, signal) {
      for (;;) {
        const link = supervised.current() ?? (await supervised.get(signal));
        try {
          return await link.send(outgoing);
        } catch (error) {
          signal?.throwIfAborted();
          // A nack leaves the link open: the target is full or closed. Asking again at once would spin.
          if (supervised.current() === link) {
            log.warn(
              { err: error, to: outgoing.routingKey },
              "the broker refused a message, trying again",
            );
            await sleep(REFUSED_DELAY_MS, undefined, signal ? { signal } : {});
          }
        }
      }
    },
    ready: () => supervised.current() !== undefined,
    close: () => supervised.close(),
  };
}

function confirmed(channel: ConfirmChannel): Link {
  let sequence = 0;
  // basic.return carries no tag, so each mandatory message has a number in a header; it comes before the ack.
  const returned = new Set<number>();
  channel.on("return", ({ properties }) => {
    const number = properties.headers?.[HEADERS.publish];
    if (typeof number === "number") returned.add(number);
  });
  return {
    send(outgoing) {
      const number = ++sequence;
      return new Promise((resolve, reject) => {
        channel.publish(
          outgoing.exchange,
          outgoing.routingKey,
          outgoing.body,
          propertiesOf(outgoing, number),
          (error) => {
            if (error) reject(error);
            else resolve(returned.size > 0 && returned.delete(number) ? "returned" : "routed");
          },
        );
      });
    },
  };
}

function propertiesOf(outgoing: Outgoing, number: number): Options.Publish {
  const headers = outgoing.headers ?? {};
  if (outgoing.mandatory) headers[HEADERS.publish] = number;
  return {
    persistent: true,
    mandatory: outgoing.mandatory,
    contentType: outgoing.contentType ?? "application/json",
    messageId: outgoing.messageId,
    type: outgoing.type,
    correlationId: outgoing.correlationId,
    replyTo: outgoing.replyTo,
    timestamp: outgoing.timestamp ?? Math.floor(Date.now() / 1000),
    appId: APP_ID,
    headers,
  };
}
