/** Reads replies, and hands those of a durable reply queue to a handler, each once. */
import type { AMQPChannel, AMQPMessage } from "@cloudamqp/amqp-client";
import { HEADERS } from "../wire/headers.ts";
import type { JobError, Reply } from "../wire/reply.ts";
import { brokerCode } from "./amqp-client-insides.ts";
import { InvalidArgument } from "./errors.ts";
import type { Link, Report } from "./link.ts";
import { OnceConsumer } from "./once-consumer.ts";

/** A reply as a handler gets it. */
export type JobReply<Output = unknown> = {
  /** The same on every resend of this reply; what to deduplicate by. */
  messageId: string;
  /** The job's id. */
  id: string;
  engine: string;
  /** "" where the job's type named none: such a job failed. */
  action: string;
  /** The job's correlation id, or its id. */
  correlationId: string;
  /** Counted runs of the handler. */
  attempt: number;
} & ({ status: "succeeded"; output: Output } | { status: "failed"; error: JobError });

const REPLY_TYPE = /\.(?:result|error)$/;
const JOB_TYPE = /^[a-z][a-z0-9-]*\.([a-z][a-z0-9-]*)\.v\d+\./;
const REPLY_QUEUE = /^[^*#]+\.replies(\..+)?$/;
const BROKER_NAMED = /^amq\.gen-./;
/** High, because the queue's own limit would drop replies while the caller restarts again and again. */
const DELIVERY_LIMIT = 100_000;

/** Throws {@link InvalidArgument} unless workers will accept `queue` as a reply-to. */
export function checkReplyQueue(queue: string, prefix: string): void {
  if (isReplyQueue(queue, prefix)) return;
  throw new InvalidArgument(
    "invalid_option",
    `replyQueue ${JSON.stringify(queue)} must be named *.replies or *.replies.*, not ${prefix}.*`,
  );
}

/** The same of `send({ replyTo })`, which may also be a queue that the broker named. */
export function checkReplyTo(queue: string, prefix: string): void {
  if (isReplyQueue(queue, prefix) || (BROKER_NAMED.test(queue) && isShort(queue))) return;
  throw new InvalidArgument(
    "invalid_option",
    `replyTo ${JSON.stringify(queue)} must be named *.replies or *.replies.*, not ${prefix}.*, or by the broker (amq.gen-*): workers refuse others`,
  );
}

const isReplyQueue = (queue: string, prefix: string) =>
  isShort(queue) && REPLY_QUEUE.test(queue) && !queue.startsWith(`${prefix}.`);

const isShort = (queue: unknown) => typeof queue === "string" && Buffer.byteLength(queue) <= 255;

/** The reply in a message, or undefined when it is none. */
export function readReply(message: AMQPMessage): JobReply | undefined {
  const { messageId, correlationId, type = "", headers } = message.properties;
  // The job's type may be as wrong as the job: the engine is who answers.
  const [engine, id] = messageId?.split("/") ?? [];
  if (!messageId || !id || !engine || !REPLY_TYPE.test(type)) return undefined;
  const [, action = ""] = JOB_TYPE.exec(type) ?? [];
  const body = readBody(message);
  if (!body) return undefined;
  const counted = headers?.[HEADERS.attempt];
  const attempt = typeof counted === "number" ? counted : 0;
  return { messageId, id, engine, action, correlationId: correlationId ?? id, attempt, ...body };
}

/** The body alone, whatever the properties. */
export function readBody(message: AMQPMessage): Reply | undefined {
  try {
    const body = JSON.parse(message.bodyString() ?? "");
    if (body?.status === "succeeded") return { status: "succeeded", output: body.output };
    if (body?.status === "failed" && typeof body.error?.code === "string")
      return { status: "failed", error: body.error };
  } catch {
    // Not JSON: no reply.
  }
  return undefined;
}

/** Makes sure that a durable queue is there, without minding how its owner declared it. */
export async function ensureDurableQueue(
  connection: AMQPChannel["connection"],
  queue: string,
): Promise<void> {
  const probe = await connection.channel();
  probe.onerror = () => {};
  try {
    await probe.queueDeclare(queue, { passive: true });
    return void probe.close().catch(() => {});
  } catch (error) {
    if (brokerCode(error) !== 404) throw error;
  }
  const channel = await connection.channel();
  channel.onerror = () => {};
  const args = { "x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT };
  await channel.queueDeclare(queue, { durable: true }, args);
  // Not awaited: the library leaves it pending when the connection goes meanwhile.
  channel.close().catch(() => {});
}

/** Where workers reply through an exchange of their own; the queue's name is what they are given as reply-to. */
export async function bindReplies(
  channel: AMQPChannel,
  queue: string,
  exchange: string | undefined,
): Promise<void> {
  if (exchange !== undefined) await channel.queueBind(queue, exchange, queue);
}

/** Hands the replies in a durable queue to a handler. */
export function subscribeReplies(
  link: Link,
  queue: string,
  handler: (reply: JobReply) => void | Promise<void>,
  options: { replyExchange: string | undefined; concurrency: number; report: Report },
): OnceConsumer<JobReply> {
  const { replyExchange, ...consuming } = options;
  return new OnceConsumer<JobReply>(link, {
    declare: async (channel) => {
      await ensureDurableQueue(channel.connection, queue);
      await bindReplies(channel, queue, replyExchange);
      return queue;
    },
    read: (message) => {
      const reply = readReply(message);
      return reply && { messageId: reply.messageId, message: reply };
    },
    handler,
    ...consuming,
  });
}
