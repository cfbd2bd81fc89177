/** Publishes on a connection of its own: persistent, confirmed, whitelisted properties, returns noticed. */
import type { Logger } from "pino";
import { explainFailure } from "./explain.ts";
import { isBlamed, publishAlone } from "./publish-alone.ts";
import type { Outgoing } from "./publish-frames.ts";
import {
  openPublishLink,
  type PublisherConfig,
  type PublishLink,
  Unconfirmed,
} from "./publish-link.ts";
import { supervise } from "./supervise.ts";

/**
 * What became of a message. `routed`: a queue has it, confirmed. `returned`: no queue takes it. `refused`: its
 * queue is there and took it not, being full or closed: perhaps later. `unsendable`: the broker can never take
 * this message, whatever else goes. `unconfirmed`: the broker says nothing of it, on two connections in a row, and
 * answers otherwise: a queue that it goes to has lost its leader, or is frozen.
 */
export type Published = "routed" | "returned" | "refused" | "unsendable" | "unconfirmed";

export interface Publisher {
  /**
   * Resolves once it is known what became of the message, over as many connections as that takes: what a lost
   * one left in doubt is sent again, and no message keeps others from going. Whether to try again what was
   * refused is the caller's to decide. Rejects only when `signal` aborts or the publisher was closed.
   */
  publish(outgoing: Outgoing, signal?: AbortSignal): Promise<Published>;
  ready(): boolean;
  close(): Promise<void>;
}

/**
 * A connection on which a message waits for its confirm this long is replaced: RabbitMQ can lose track of a
 * queue that was deleted and declared again, and then confirms nothing that goes there.
 */
const CONFIRM_TIMEOUT_MS = 20_000;

/**
 * Resolves when the first connection stands.
 * @throws {StartFailure}
 */
export async function openPublisher(
  config: PublisherConfig,
  engine: string,
  log: Logger,
  confirmTimeoutMs = CONFIRM_TIMEOUT_MS,
): Promise<Publisher> {
  const name = `${engine} publisher ${config.WORKER_ID}`;
  const supervised = await supervise<PublishLink>(
    "publisher",
    (lost, proved) => openPublishLink(config, { name, confirmTimeoutMs, log, lost, proved }),
    log,
  ).catch(async (error) => {
    throw await explainFailure(error, config.AMQP_URL);
  });
  const openAlone = () =>
    openPublishLink(config, { name: `${name} alone`, confirmTimeoutMs, log, lost() {} });
  const alone = publishAlone(openAlone, log);

  function publish(outgoing: Outgoing, signal?: AbortSignal): Promise<Published> {
    if (alone.takes(outgoing)) return alone.publish(outgoing, signal);
    const link = supervised.current();
    if (link === undefined) return supervised.get(signal).then(() => publish(outgoing, signal));
    return new Promise((resolve) => {
      link.send(outgoing, (end) => {
        resolve(typeof end === "string" ? end : publishAgain(outgoing, end, signal));
      });
    });
  }

  /** What a link that ended left in doubt. */
  async function publishAgain(
    outgoing: Outgoing,
    reason: Error,
    signal: AbortSignal | undefined,
  ): Promise<Published> {
    signal?.throwIfAborted();
    // RabbitMQ's channel stands still over a queue without a leader, so that it confirms none of those behind it.
    const isOneToBlame = isBlamed(reason) || reason instanceof Unconfirmed;
    return isOneToBlame ? alone.publish(outgoing, signal) : publish(outgoing, signal);
  }

  return {
    publish,
    ready: () => supervised.current() !== undefined && !alone.blocked(),
    async close() {
      await Promise.all([alone.close(), supervised.close()]);
    },
  };
}
