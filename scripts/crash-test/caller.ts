/** The crash test's own client: publishes jobs, and records confirms, replies and events. It shares no code with the product's. */
import { setTimeout as sleep } from "node:timers/promises";
import amqp from "amqplib";
import type { History, PlannedJob } from "./history.ts";

export interface Caller {
  /** Publishes one copy; resolves with whether the broker confirmed it. Never rejects. */
  publish(job: PlannedJob): Promise<boolean>;
  /** Messages of the caller's own queues that were recorded so far. */
  seen(): number;
  close(): Promise<void>;
}

export interface CallerOptions {
  amqpUrl: string;
  /** Prefix of the fleet's names. */
  prefix: string;
  /** Prefix of the caller's own queues. */
  own: string;
  engine: string;
  history: History;
}

const RECONNECT_DELAY_MS = 200;
const CLOSE_TIMEOUT_MS = 5_000;
/** A publish without a confirm by then counts as unconfirmed: the broker may be under an alarm, or gone. */
const CONFIRM_TIMEOUT_MS = 30_000;

export async function openCaller(options: CallerOptions): Promise<Caller> {
  const { history } = options;
  const pending = new Map<string, (why: string | undefined) => void>();
  let channel: amqp.ConfirmChannel | undefined;
  let connection: amqp.ChannelModel | undefined;
  let isClosing = false;
  let copies = 0;
  let seen = 0;

  const failPending = (why: string) => {
    for (const settle of [...pending.values()]) settle(why);
  };
  const connectOnce = async () => {
    const opened = await amqp.connect(options.amqpUrl, {
      timeout: 5_000,
      clientProperties: { connection_name: "crash-test" },
    });
    opened.on("error", () => {});
    opened.on("close", () => {
      channel = undefined;
      failPending("connection closed");
      if (!isClosing) void reconnect();
    });
    try {
      const ready = await opened.createConfirmChannel();
      ready.on("error", () => {});
      ready.on("close", () => void opened.close().catch(() => {}));
      await declareAndConsume(ready, options, () => seen++);
      connection = opened;
      channel = ready;
    } catch (error) {
      await opened.close().catch(() => {});
      throw error;
    }
  };
  const reconnect = async () => {
    while (!isClosing && channel === undefined) {
      try {
        await connectOnce();
        return;
      } catch {
        await sleep(RECONNECT_DELAY_MS);
      }
    }
  };
  await connectOnce();

  return {
    seen: () => seen,
    async publish(job) {
      const copy = `${job.id}#${++copies}`;
      history.append({ kind: "publish", copy, job });
      const { promise, resolve } = Promise.withResolvers<string | undefined>();
      const settle = (why: string | undefined) => {
        clearTimeout(timer);
        if (pending.delete(copy)) resolve(why);
      };
      const timer = setTimeout(() => settle("no confirm in time"), CONFIRM_TIMEOUT_MS);
      pending.set(copy, settle);
      if (channel === undefined) settle("not connected");
      else send(channel, job, options, settle);
      const why = await promise;
      if (why === undefined) history.append({ kind: "confirm", copy, jobId: job.id });
      else history.append({ kind: "unconfirmed", copy, jobId: job.id, why });
      return why === undefined;
    },
    async close() {
      isClosing = true;
      failPending("the crash test ends");
      const tidyUp = async () => {
        await channel?.deleteQueue(repliesQueue(options));
        await channel?.deleteQueue(eventsQueue(options));
        await connection?.close();
      };
      // A broker under an alarm may never answer.
      await Promise.race([tidyUp().catch(() => {}), sleep(CLOSE_TIMEOUT_MS)]);
    },
  };
}

const repliesQueue = ({ own }: CallerOptions) => `${own}.replies`;
const eventsQueue = ({ own }: CallerOptions) => `${own}.events`;

async function declareAndConsume(
  channel: amqp.ConfirmChannel,
  options: CallerOptions,
  onSeen: () => void,
): Promise<void> {
  const { history, prefix } = options;
  const quorum = { durable: true, arguments: { "x-queue-type": "quorum" } };
  await channel.assertQueue(repliesQueue(options), quorum);
  await channel.assertQueue(eventsQueue(options), quorum);
  await channel.bindQueue(eventsQueue(options), `${prefix}.events`, "crash.#");
  await channel.consume(repliesQueue(options), (message) => {
    if (message === null) return;
    const { messageId, correlationId, type } = message.properties;
    const body = message.content.toString();
    history.append({
      kind: "reply",
      id: String(messageId),
      jobId: String(correlationId),
      type: String(type),
      body,
    });
    onSeen();
    channel.ack(message);
  });
  await channel.consume(eventsQueue(options), (message) => {
    if (message === null) return;
    const { messageId, type } = message.properties;
    history.append({
      kind: "event",
      id: String(messageId),
      type: String(type),
      body: message.content.toString(),
    });
    onSeen();
    channel.ack(message);
  });
}

function send(
  channel: amqp.ConfirmChannel,
  job: PlannedJob,
  options: CallerOptions,
  settle: (why: string | undefined) => void,
): void {
  const deadline = job.deadlineMs === undefined ? {} : { "x-deadline": job.deadlineMs };
  const headers = { ...job.headers, ...deadline };
  try {
    channel.publish(
      `${options.prefix}.jobs`,
      options.engine,
      Buffer.from(JSON.stringify(job.input)),
      {
        messageId: job.id,
        correlationId: job.id,
        type: `${options.engine}.${job.action}.v1`,
        contentType: "application/json",
        persistent: true,
        headers,
        ...(job.hasReplyTo ? { replyTo: repliesQueue(options) } : {}),
      },
      (error) => settle(error ? "refused by the broker" : undefined),
    );
  } catch (error) {
    settle(String(error));
  }
}
