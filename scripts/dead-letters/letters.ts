/** Dead letters of one engine: looks at them without taking them, and runs them again. */

import type { Connection } from "@tl-engine/shared/broker/connection";
import type { Publisher } from "@tl-engine/shared/broker/publish";
import type { Outgoing } from "@tl-engine/shared/broker/publish-frames";
import { publisherHeader } from "@tl-engine/shared/job/publisher";
import { HEADERS } from "@tl-engine/shared/wire/headers";
import type { BrokerNames } from "@tl-engine/shared/wire/names";

type Channel = Awaited<ReturnType<Connection["model"]["createChannel"]>>;
type Message = Exclude<Awaited<ReturnType<Channel["get"]>>, false>;

export interface Letter {
  id: string;
  type: string;
  /** The error code that ended the job. */
  code: string;
  message: string;
  attempt: number;
  /** Replays that ended here, too. */
  generation: number;
  /** When the job was published first; undefined where its publisher did not say. */
  publishedAtMs: number | undefined;
}

/**
 * On RabbitMQ before 4.3 a letter that is looked at and put back counts as delivered, and the delivery
 * limit would drop it in the end. So a letter that was looked at this often gives way to a fresh copy.
 */
const REFRESH_AFTER_LOOKS = 1_000;
const AT_ONCE = 100;

/** Reads the first letters of an engine and puts them back, in their places. */
export async function listLetters(
  { model }: Pick<Connection, "model">,
  publisher: Publisher,
  { engine, names, limit }: { engine: string; names: BrokerNames; limit: number },
  refreshAfterLooks = REFRESH_AFTER_LOOKS,
): Promise<{ count: number; letters: Letter[] }> {
  const queue = names.dead(engine);
  const channel = await model.createChannel();
  try {
    const { messageCount } = await channel.checkQueue(queue);
    const letters: Letter[] = [];
    let held = 0;
    while (letters.length < limit) {
      const message = await channel.get(queue);
      if (message === false) break;
      held++;
      letters.push(readLetter(message));
      if (numberOf(message, "x-delivery-count") < refreshAfterLooks) continue;
      const copy = { ...sameJob(message), exchange: "", routingKey: queue };
      await deliver(publisher, { ...copy, headers: graveOf(message) });
      channel.ack(message);
      held--;
    }
    giveBack(channel, held);
    // A quorum queue's count lags behind.
    return { count: Math.max(messageCount, letters.length), letters };
  } finally {
    await channel.close();
  }
}

export interface Replayed {
  /** Ids of the jobs that were published again. */
  replayed: string[];
  /** Letters that stay, and why. */
  left: { id: string; why: string }[];
}

/**
 * Publishes letters to their engine as the next generation, confirmed, and only then takes them off
 * their queue: a crash in between leaves the letter, and its second replay is the same job of the
 * same generation, which gets the stored result.
 * @param id the job; undefined for every letter that is there now.
 */
export async function replayLetters(
  { model }: Pick<Connection, "model">,
  publisher: Publisher,
  { engine, names, id }: { engine: string; names: BrokerNames; id: string | undefined },
): Promise<Replayed> {
  const queue = names.dead(engine);
  const channel = await model.createChannel();
  const result: Replayed = { replayed: [], left: [] };
  let held = 0;
  async function replay(message: Message): Promise<void> {
    await deliver(publisher, {
      ...sameJob(message),
      exchange: names.jobs,
      routingKey: engine,
      headers: {
        ...traceOf(message),
        [HEADERS.replay]: numberOf(message, HEADERS.replay) + 1,
        [HEADERS.publisher]: publisherOf(message),
        [HEADERS.attempt]: 1,
      },
    });
    channel.ack(message);
    held--;
    result.replayed.push(readLetter(message).id);
  }
  try {
    // A missing queue would let the alternate exchange have the job.
    await channel.checkQueue(names.queue(engine));
    await channel.checkQueue(queue);
    const done = new Set<string>();
    let batch: Message[] = [];
    // It ends: a letter that is not taken off is held until then, also one that has failed once more.
    for (;;) {
      const message = await channel.get(queue);
      if (message === false) break;
      held++;
      const letter = readLetter(message);
      if (id !== undefined && letter.id !== id) continue;
      const why = whyNot(letter);
      if (why !== undefined) {
        result.left.push({ id: letter.id, why });
        continue;
      }
      if (done.has(keyOf(letter)) || done.has(keyOf(letter, letter.generation - 1))) continue;
      done.add(keyOf(letter));
      batch.push(message);
      if (batch.length < AT_ONCE) continue;
      await Promise.all(batch.map(replay));
      batch = [];
    }
    await Promise.all(batch.map(replay));
    giveBack(channel, held);
    return result;
  } finally {
    await channel.close();
  }
}

/** LavinMQ closes a channel over a nack of all where nothing is unacked. */
function giveBack(channel: Channel, held: number): void {
  if (held > 0) channel.nackAll(true);
}

const keyOf = ({ id, generation }: Letter, of = generation) => `${id} ${of}`;

/** Why a letter would only come back. */
function whyNot({ id, code }: Letter): string | undefined {
  if (id === "") return "it has no message_id, which every job needs";
  if (code === "idempotency_conflict") return "its id belongs to another input";
  return undefined;
}

async function deliver(publisher: Publisher, outgoing: Outgoing): Promise<void> {
  if ((await publisher.publish(outgoing)) === "routed") return;
  throw new Error(`no queue takes this; run "make topology" first. The letter stays where it is.`);
}

/** The whitelist of what a job keeps, as where it was buried: nothing else is copied. */
function sameJob({ content, properties }: Message) {
  const { messageId, type, correlationId, replyTo, contentType, timestamp } = properties;
  return {
    body: content,
    messageId: text(messageId),
    type: text(type),
    correlationId: text(correlationId),
    replyTo: text(replyTo),
    contentType: text(contentType) ?? "application/octet-stream",
    timestamp: Number.isSafeInteger(timestamp) && timestamp >= 0 ? Number(timestamp) : undefined,
    mandatory: true,
  };
}

/** The headers of a letter, for its fresh copy. */
function graveOf(message: Message): Record<string, string | number> {
  const { code, message: error } = readLetter(message);
  return {
    ...traceOf(message),
    [HEADERS.attempt]: numberOf(message, HEADERS.attempt),
    [HEADERS.replay]: numberOf(message, HEADERS.replay),
    [HEADERS.publisher]: publisherOf(message),
    "x-error-code": code,
    "x-error": error,
  };
}

function traceOf({ properties }: Message): Record<string, string> {
  const traceparent = text(properties.headers?.[HEADERS.traceparent]);
  return traceparent === undefined ? {} : { [HEADERS.traceparent]: traceparent };
}

function readLetter(message: Message): Letter {
  const { properties } = message;
  const { headers = {}, timestamp } = properties;
  return {
    id: text(properties.messageId) ?? "",
    type: text(properties.type) ?? "",
    code: text(headers["x-error-code"]) ?? "",
    message: text(headers["x-error"]) ?? "",
    attempt: numberOf(message, HEADERS.attempt),
    generation: numberOf(message, HEADERS.replay),
    publishedAtMs: Number.isSafeInteger(timestamp) ? timestamp * 1_000 : undefined,
  };
}

/** Letters from before publishers were told say none. */
const publisherOf = ({ properties }: Message) =>
  publisherHeader(text(properties.headers?.[HEADERS.publisher]));

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

function numberOf({ properties }: Message, header: string): number {
  const value: unknown = properties.headers?.[header];
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
