/** Dead letters of one engine: looks at them without taking them, and runs them again. */

import type { Connection } from "@tl-engine/shared/broker/connection";
import type { Oddity } from "@tl-engine/shared/broker/content-header";
import { lanesOf } from "@tl-engine/shared/broker/lanes";
import type { Publisher } from "@tl-engine/shared/broker/publish";
import type { Outgoing } from "@tl-engine/shared/broker/publish-frames";
import { isShort } from "@tl-engine/shared/job/envelope";
import { publisherHeader } from "@tl-engine/shared/job/publisher";
import { HEADERS } from "@tl-engine/shared/wire/headers";
import { type BrokerNames, JOB_ID, jobKey, type Lane } from "@tl-engine/shared/wire/names";

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
  /** Bytes of the body as it came, where only its head was kept. */
  cutBytes: number | undefined;
  /** Of the whole body; undefined where it is here, or was never held. */
  bodySha256: string | undefined;
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
      const copy = { ...sameJob(message), exchange: queue, routingKey: queue };
      if (!(await delivered(publisher, { ...copy, headers: graveOf(message) }))) continue;
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
    const isSent = await delivered(publisher, {
      ...sameJob(message),
      exchange: names.jobs,
      routingKey: jobKey(engine, laneOf(message)),
      headers: {
        ...traceOf(message),
        [HEADERS.replay]: numberOf(message, HEADERS.replay) + 1,
        [HEADERS.publisher]: publisherOf(message),
        [HEADERS.attempt]: 1,
      },
    });
    const { id } = readLetter(message);
    if (!isSent) {
      result.left.push({ id, why: "the broker takes no message of its size any more" });
      return;
    }
    channel.ack(message);
    held--;
    result.replayed.push(id);
  }
  try {
    // A missing queue would let the alternate exchange have the job.
    for (const lane of lanesOf(engine)) await channel.checkQueue(names.queue(engine, lane));
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
function whyNot({ id, code, cutBytes, bodySha256 }: Letter): string | undefined {
  if (id === "") return "it has no message_id, which every job needs";
  if (cutBytes !== undefined) {
    const digest = bodySha256 === undefined ? "" : ` (sha-256 ${bodySha256})`;
    return `its body of ${cutBytes} bytes was not kept whole${digest}: only its publisher has the input`;
  }
  if (!JOB_ID.test(id)) return "its message_id is none that a job can have";
  if (code === "idempotency_conflict") return "its id belongs to another input";
  return undefined;
}

/** False where the broker can never take it. */
async function delivered(publisher: Publisher, outgoing: Outgoing): Promise<boolean> {
  const published = await publisher.publish(outgoing);
  if (published === "routed") return true;
  if (published === "unsendable") return false;
  throw new Error(`no queue takes this; run "make topology" first. The letter stays where it is.`);
}

/** The whitelist of what a job keeps, as where it was buried: nothing else is copied. */
function sameJob({ content, properties }: Message) {
  const { messageId, type, correlationId, replyTo, contentType, timestamp } = properties;
  return {
    body: content,
    messageId: short(messageId),
    type: short(type),
    correlationId: Buffer.isBuffer(correlationId) ? correlationId : short(correlationId),
    replyTo: short(replyTo),
    contentType: short(contentType) ?? "application/octet-stream",
    timestamp: Number.isSafeInteger(timestamp) && timestamp >= 0 ? Number(timestamp) : undefined,
    mandatory: true,
  };
}

/** The headers of a letter, for its fresh copy. */
function graveOf(message: Message): Record<string, string | number> {
  const { code, message: error, cutBytes, bodySha256 } = readLetter(message);
  return {
    ...traceOf(message),
    [HEADERS.attempt]: numberOf(message, HEADERS.attempt),
    [HEADERS.replay]: numberOf(message, HEADERS.replay),
    [HEADERS.publisher]: publisherOf(message),
    ...(laneOf(message) === "bulk" && { [HEADERS.lane]: "bulk" }),
    [HEADERS.errorCode]: code,
    [HEADERS.error]: error,
    ...(cutBytes !== undefined && { [HEADERS.droppedBytes]: cutBytes }),
    ...(bodySha256 !== undefined && { [HEADERS.bodySha256]: bodySha256 }),
  };
}

const laneOf = ({ properties }: Message): Lane =>
  properties.headers?.[HEADERS.lane] === "bulk" ? "bulk" : "interactive";

function traceOf({ properties }: Message): Record<string, string> {
  const traceparent = text(properties.headers?.[HEADERS.traceparent]);
  return traceparent === undefined ? {} : { [HEADERS.traceparent]: traceparent };
}

function readLetter(message: Message): Letter {
  const { properties } = message;
  const { headers = {}, timestamp } = properties;
  const isUndecodable = (properties as Oddity).undecodable !== undefined;
  return {
    id: text(properties.messageId) ?? "",
    type: text(properties.type) ?? "",
    code: text(headers[HEADERS.errorCode]) ?? "",
    message: isUndecodable ? "its headers can't be decoded" : (text(headers[HEADERS.error]) ?? ""),
    attempt: numberOf(message, HEADERS.attempt),
    generation: numberOf(message, HEADERS.replay),
    publishedAtMs: Number.isSafeInteger(timestamp) ? timestamp * 1_000 : undefined,
    cutBytes: numberOf(message, HEADERS.droppedBytes) || undefined,
    bodySha256: text(headers[HEADERS.bodySha256]),
  };
}

/** What grew when it was decoded, being no UTF-8, would not fit into a message again. */
function short(value: unknown): string | undefined {
  const found = text(value);
  return found !== undefined && isShort(found) ? found : undefined;
}

/** Letters from before publishers were told say none. */
const publisherOf = ({ properties }: Message) =>
  publisherHeader(text(properties.headers?.[HEADERS.publisher]));

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

function numberOf({ properties }: Message, header: string): number {
  const value: unknown = properties.headers?.[header];
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
