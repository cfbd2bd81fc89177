/** Publishes on a connection of its own: persistent, confirmed, whitelisted properties, returns noticed. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ConfirmChannel } from "amqplib";
import type { Logger } from "pino";
import type { Config } from "../process/config.ts";
import { HEADERS } from "../wire/headers.ts";
import { type ConfirmWatch, watchConfirms } from "./confirm-watch.ts";
import { type BrokerConfig, openConnection, sever } from "./connection.ts";
import { type Outgoing, publishFrames } from "./publish-frames.ts";
import { supervise } from "./supervise.ts";

/**
 * What became of a message. `routed`: a queue has it, confirmed. `returned`: no queue takes it. `refused`: its
 * queue is there and took it not, being full or closed: perhaps later. `unsendable`: the broker can never take
 * this message, whatever else goes.
 */
export type Published = "routed" | "returned" | "refused" | "unsendable";

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
/**
 * A connection on which a message waits for its confirm this long is replaced: RabbitMQ can lose track of a
 * queue that was deleted and declared again, and then confirms nothing that goes there.
 */
const CONFIRM_TIMEOUT_MS = 20_000;

/** Resolves when the first connection stands. */
export async function openPublisher(
  config: BrokerConfig & Pick<Config, "WORKER_ID">,
  engine: string,
  log: Logger,
  confirmTimeoutMs = CONFIRM_TIMEOUT_MS,
): Promise<Publisher> {
  const supervised = await supervise<Link>(
    "publisher",
    async (lost) => {
      const { model } = await openConnection(config, `${engine} publisher ${config.WORKER_ID}`);
      const channel = await model.createConfirmChannel();
      let reason = new Error("the connection was closed");
      const because = (error: Error) => {
        reason = error;
      };
      model.on("error", because);
      channel.on("error", because);
      const watch = watchConfirms(confirmTimeoutMs, () => {
        const why = `the broker left a message unconfirmed for ${confirmTimeoutMs} ms`;
        sever(model, new Error(why));
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
      return { link: confirmed(channel, watch, () => lost(reason)), close: () => model.close() };
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
 * Where amqplib's own `publish` ends: it encodes a message several times over and sends it through two
 * streams, which costs a worker a tenth of all that it does.
 */
interface OpenChannel {
  ch: number;
  connection: { frameMax: number; sendBytes(bytes: Buffer): void };
  pushConfirmCallback(onConfirm: (error: Error | null) => void): void;
}

function confirmed(
  confirmChannel: ConfirmChannel,
  watch: ConfirmWatch,
  onClosed: () => void,
): Link {
  const channel = confirmChannel as ConfirmChannel & OpenChannel;
  const { connection } = channel;
  let closed = false;
  // Before amqplib's own listener, which fails all that is unconfirmed: later messages would stay so for
  // ever, and those that fail would be taken for refused.
  channel.prependListener("close", () => {
    closed = true;
    onClosed();
  });
  const queue = publishFrames(channel.ch, connection.frameMax, (bytes) => {
    if (!closed) connection.sendBytes(bytes);
  });
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
      try {
        if (closed) throw new Error("the channel has closed");
        queue(outgoing, number);
      } catch (error) {
        onEnd(error as Error, "routed");
        return;
      }
      const sentIn = watch.sent();
      channel.pushConfirmCallback((error) => {
        watch.settled(sentIn);
        const isReturned = returned.size > 0 && returned.delete(number);
        onEnd(error, isReturned ? "returned" : "routed");
      });
    },
  };
}
