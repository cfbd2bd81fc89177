/** One connection that publishes, with confirms: what becomes of each message that is sent on it. */
import type { ConfirmChannel } from "amqplib";
import type { Logger } from "pino";
import type { Config } from "../process/config.ts";
import { HEADERS } from "../wire/headers.ts";
import { brokerUserOf } from "./address.ts";
import { outletOf, sever } from "./amqplib-insides.ts";
import { type ConfirmWatch, watchConfirms } from "./confirm-watch.ts";
import { type BrokerConfig, closeConnection, openConnection } from "./connection.ts";
import type { Published } from "./publish.ts";
import { type Outgoing, publishFrames } from "./publish-frames.ts";
import type { Opened } from "./supervise.ts";

export type PublisherConfig = BrokerConfig & Pick<Config, "WORKER_ID">;

export interface PublishLink {
  /** @param onEnd told once: what became of the message, or why the link ended before the broker said. */
  send(outgoing: Outgoing, onEnd: (end: Published | Error) => void): void;
}

export interface PublishLinkOptions {
  /** Shown in the broker's list of connections. */
  name: string;
  /** A connection on which a message waits for its confirm this long is severed. */
  confirmTimeoutMs: number;
  log: Logger;
  lost(reason: Error): void;
  /** The broker took a message; called for the first one only. */
  proved?(): void;
}

/** Why a link was severed: a message stayed without its confirm. */
export class Unconfirmed extends Error {
  override readonly name = "Unconfirmed";
  constructor(timeoutMs: number) {
    super(`the broker left a message unconfirmed for ${timeoutMs} ms`);
  }
}

export async function openPublishLink(
  config: PublisherConfig,
  options: PublishLinkOptions,
): Promise<Opened<PublishLink>> {
  const { name, confirmTimeoutMs, log, lost } = options;
  const { model } = await openConnection(config, name);
  let reason = new Error("the connection was closed");
  const because = (error: Error) => {
    // Severing ends the connection in ways of its own, which are not why.
    if (!(reason instanceof Unconfirmed)) reason = error;
  };
  model.on("error", because);
  const watch = watchConfirms(confirmTimeoutMs, () => {
    reason = new Unconfirmed(confirmTimeoutMs);
    sever(model, reason);
  });
  model.on("blocked", (why) => {
    watch.pause();
    log.warn({ why }, "the broker blocks publishing");
  });
  model.on("unblocked", () => {
    watch.resume();
    log.info("the broker takes publishes again");
  });
  model.on("close", (error) => {
    watch.stop();
    lost(error ?? reason);
  });
  try {
    const channel = await model.createConfirmChannel();
    channel.on("error", because);
    const link = confirmed(channel, brokerUserOf(config.AMQP_URL), watch, () => reason, options);
    return { link, close: () => closeConnection(model) };
  } catch (error) {
    await closeConnection(model);
    throw error;
  }
}

function confirmed(
  channel: ConfirmChannel,
  userId: string,
  watch: ConfirmWatch,
  reason: () => Error,
  { log, lost, proved = () => {} }: PublishLinkOptions,
): PublishLink {
  const outlet = outletOf(channel);
  let closed = false;
  let isProved = false;
  // Before amqplib's own listener, which fails all that is unconfirmed: later messages would stay so for
  // ever, and those that fail would be taken for refused.
  channel.prependListener("close", () => {
    closed = true;
    lost(reason());
  });
  const queue = publishFrames(outlet.channel, outlet.frameMax, userId, (bytes) => {
    if (!closed) outlet.send(bytes);
  });
  let sequence = 0;
  // basic.return carries no tag, so each mandatory message has a number in a header; it comes before the ack.
  const returned = new Set<number>();
  channel.on("return", ({ properties }) => {
    const number = properties.headers?.[HEADERS.publish];
    if (typeof number === "number") returned.add(number);
  });

  function published(number: number): Published {
    if (!isProved) {
      isProved = true;
      proved();
    }
    return returned.size > 0 && returned.delete(number) ? "returned" : "routed";
  }

  return {
    send(outgoing, onEnd) {
      if (closed) return onEnd(reason());
      const number = ++sequence;
      try {
        queue(outgoing, number);
      } catch (error) {
        log.error({ err: error, to: outgoing.routingKey }, "a message can't be encoded");
        return onEnd("unsendable");
      }
      const sentIn = watch.sent();
      outlet.onConfirm((error) => {
        watch.settled(sentIn);
        if (error === null) return onEnd(published(number));
        returned.delete(number);
        onEnd(closed ? reason() : "refused");
      });
    },
  };
}
