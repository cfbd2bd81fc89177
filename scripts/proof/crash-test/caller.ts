/** The crash test's own callers: each publishes jobs under its name and listens on its own queue. They share no code with the product's. */
import { setTimeout as sleep } from "node:timers/promises";
import amqp from "amqplib";
import type { Copy, History, Oddity, PlannedJob } from "./history.ts";
import { BROKEN, publishRaw } from "./raw-publish.ts";

/** What is said of one message beside its job. */
export type Sending = Partial<
  Pick<
    Copy,
    | "correlationId"
    | "replyTo"
    | "generation"
    | "burial"
    | "mayExpire"
    | "isDeaf"
    | "headers"
    | "isRefused"
    | "oddity"
  >
>;

export interface Caller {
  readonly name: string;
  readonly replyQueue: string;
  /** Publishes one copy; resolves with whether the broker confirmed it. Never rejects. */
  publish(job: PlannedJob, sending?: Sending): Promise<boolean>;
  /** Messages that came to the caller's queue so far. */
  seen(): number;
  close(): Promise<void>;
}

export interface CallerOptions {
  amqpUrl: string;
  name: string;
  /** Prefix of the fleet's names. */
  prefix: string;
  /** Prefix of the callers' own queues. */
  own: string;
  engine: string;
  history: History;
}

const RECONNECT_DELAY_MS = 200;
const CLOSE_TIMEOUT_MS = 5_000;
/** A publish without a confirm by then counts as unconfirmed: the broker may be under an alarm, or gone. */
const CONFIRM_TIMEOUT_MS = 30_000;
const QUORUM = { durable: true, arguments: { "x-queue-type": "quorum" } };

export async function openCaller(options: CallerOptions): Promise<Caller> {
  const { history, name, own } = options;
  const replyQueue = `${own}.${name}.replies`;
  const pending = new Map<string, (why: string | undefined) => void>();
  let copies = 0;
  let seen = 0;

  const link = await openLink(options.amqpUrl, {
    async ready(channel) {
      await channel.assertQueue(replyQueue, QUORUM);
      await channel.consume(replyQueue, (message) => {
        if (message === null) return;
        const { messageId, correlationId, type, headers = {} } = message.properties;
        history.append({
          kind: "reply",
          queue: replyQueue,
          id: String(messageId),
          correlationId: String(correlationId),
          type: String(type),
          body: message.content.toString(),
          attempt: headers["x-attempt"],
        });
        seen++;
        channel.ack(message);
      });
    },
    lost: () => {
      for (const settle of [...pending.values()]) settle("connection closed");
    },
    ended: (channel) => channel.deleteQueue(replyQueue),
  });

  return {
    name,
    replyQueue,
    seen: () => seen,
    async publish(job, sending = {}) {
      const copy: Copy = {
        copy: `${name}-${++copies}-${job.id}`,
        caller: name,
        job,
        generation: 0,
        timestamp: Math.floor(Date.now() / 1_000),
        ...sending,
      };
      history.append({ kind: "publish", ...copy });
      const { promise, resolve } = Promise.withResolvers<string | undefined>();
      const settle = (why: string | undefined) => {
        clearTimeout(timer);
        if (pending.delete(copy.copy)) resolve(why);
      };
      const timer = setTimeout(() => settle("no confirm in time"), CONFIRM_TIMEOUT_MS);
      pending.set(copy.copy, settle);
      // As a careful publisher does: what can't go yet waits for the connection.
      void link.channel().then((channel) => {
        if (channel === undefined) settle("the crash test ends");
        else if (pending.has(copy.copy)) send(channel, copy, options, settle);
      });
      const why = await promise;
      if (why === undefined) history.append({ kind: "confirm", copy: copy.copy, jobId: job.id });
      else history.append({ kind: "unconfirmed", copy: copy.copy, jobId: job.id, why });
      return why === undefined;
    },
    close: () => link.close(),
  };
}

export interface Watcher {
  /** Messages that came so far. */
  seen(): number;
  close(): Promise<void>;
}

/** Records all events, and takes all dead letters, as an operator would who looks at each. */
export async function openWatcher(options: Omit<CallerOptions, "name">): Promise<Watcher> {
  const { history, prefix, own, engine } = options;
  const events = `${own}.events`;
  let seen = 0;
  const link = await openLink(options.amqpUrl, {
    async ready(channel) {
      await channel.assertQueue(events, QUORUM);
      await channel.bindQueue(events, `${prefix}.events`, `${engine}.#`);
      const watch = (queue: string, note: (message: amqp.ConsumeMessage) => void) =>
        channel.consume(queue, (message) => {
          if (message === null) return;
          note(message);
          seen++;
          channel.ack(message);
        });
      await watch(events, ({ content, properties }) =>
        history.append({
          kind: "event",
          id: String(properties.messageId),
          type: String(properties.type),
          body: content.toString(),
          correlationId: String(properties.correlationId),
        }),
      );
      await watch(`${prefix}.${engine}.dead`, ({ content, properties }) =>
        history.append({
          kind: "letter",
          id: String(properties.messageId),
          type: String(properties.type),
          body: content.toString(),
          correlationId: properties.correlationId,
          replyTo: properties.replyTo,
          contentType: properties.contentType,
          timestamp: properties.timestamp,
          headers: properties.headers ?? {},
        }),
      );
    },
    lost: () => {},
    ended: (channel) => channel.deleteQueue(events),
  });
  return { seen: () => seen, close: () => link.close() };
}

interface LinkOptions {
  ready(channel: amqp.ConfirmChannel): Promise<void>;
  lost(): void;
  ended(channel: amqp.ConfirmChannel): Promise<unknown>;
}

/** A connection that comes back by itself. */
async function openLink(amqpUrl: string, options: LinkOptions) {
  let channel: amqp.ConfirmChannel | undefined;
  let connection: amqp.ChannelModel | undefined;
  let isClosing = false;
  let whenOpen = Promise.withResolvers<void>();

  const connectOnce = async () => {
    const opened = await amqp.connect(amqpUrl, {
      timeout: 5_000,
      clientProperties: { connection_name: "crash-test" },
    });
    opened.on("error", () => {});
    opened.on("close", () => {
      if (channel !== undefined) whenOpen = Promise.withResolvers<void>();
      channel = undefined;
      options.lost();
      if (!isClosing) void reconnect();
    });
    try {
      const ready = await opened.createConfirmChannel();
      ready.on("error", () => {});
      ready.on("close", () => void opened.close().catch(() => {}));
      await options.ready(ready);
      connection = opened;
      channel = ready;
      whenOpen.resolve();
    } catch (error) {
      await opened.close().catch(() => {});
      throw error;
    }
  };
  let reconnecting = false;
  const reconnect = async () => {
    if (reconnecting) return;
    reconnecting = true;
    while (!isClosing && channel === undefined) {
      try {
        await connectOnce();
      } catch {
        await sleep(RECONNECT_DELAY_MS);
      }
    }
    reconnecting = false;
  };
  await connectOnce();

  return {
    /** Undefined once it is closed. */
    async channel(): Promise<amqp.ConfirmChannel | undefined> {
      while (channel === undefined && !isClosing) await whenOpen.promise;
      return channel;
    },
    async close() {
      isClosing = true;
      whenOpen.resolve();
      options.lost();
      const tidyUp = async () => {
        if (channel) await options.ended(channel);
        await connection?.close();
      };
      // A broker under an alarm may never answer.
      await Promise.race([tidyUp().catch(() => {}), sleep(CLOSE_TIMEOUT_MS)]);
    },
  };
}

function send(
  channel: amqp.ConfirmChannel,
  copy: Copy,
  options: CallerOptions,
  settle: (why: string | undefined) => void,
): void {
  const { job, correlationId, replyTo, oddity } = copy;
  const { amqpUrl, prefix, engine } = options;
  const exchange = copy.burial ? `${prefix}.burials` : `${prefix}.jobs`;
  const routingKey = job.isBulk ? `${engine}.bulk` : engine;
  const body = bodyOf(job);
  const properties = {
    messageId: job.id,
    type: `${engine}.${job.action}.v1`,
    contentType: "application/json",
    timestamp: copy.timestamp,
    // Also a replay's, which is believed from a user of the runtime alone: here all but the forger are the same.
    userId: decodeURIComponent(new URL(amqpUrl).username) || "guest",
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(replyTo === undefined ? {} : { replyTo }),
  };
  const told = (error: Error | null) => settle(error ? "refused by the broker" : undefined);
  try {
    if (oddity !== undefined) {
      const odd = { ...properties, ...ODD_TEXTS[oddity], isNested: oddity === "nested" };
      publishRaw(channel, { exchange, routingKey, body, ...odd }, told);
      return;
    }
    const own = { headers: headersOf(copy, options), persistent: true };
    const expiring = copy.mayExpire ? { expiration: 1 } : {};
    channel.publish(exchange, routingKey, body, { ...properties, ...own, ...expiring }, told);
  } catch (error) {
    settle(String(error));
  }
}

/** As many bytes as no longer fit into a property once each was replaced by the three of {@link BROKEN}. */
const BROKEN_TEXT = BROKEN.repeat(90);
/** What a message with an oddity says beside what its job and its copy say. */
const ODD_TEXTS: Partial<
  Record<Oddity, { contentType?: string; replyTo?: string; type?: string }>
> = {
  "content-type": { contentType: BROKEN_TEXT },
  "reply-to": { replyTo: BROKEN_TEXT },
  type: { type: BROKEN_TEXT },
};

/** A heavy job's padding is on the wire alone, not in the history. */
const bodyOf = ({ input }: PlannedJob): Buffer =>
  Buffer.from(
    JSON.stringify(
      input.padBytes === undefined ? input : { ...input, pad: "x".repeat(Number(input.padBytes)) },
    ),
  );

function headersOf(
  { job: { deadlineMs }, generation, burial, headers }: Copy,
  { prefix, engine }: CallerOptions,
) {
  const death = burial && {
    count: 1,
    reason: burial,
    queue: `${prefix}.${engine}`,
    exchange: `${prefix}.jobs`,
    "routing-keys": [engine],
  };
  return {
    ...headers,
    ...(deadlineMs === undefined ? {} : { "x-deadline": deadlineMs }),
    ...(generation === 0 ? {} : { "x-replay": generation }),
    // What the broker notes on what it dead-letters.
    ...(death && { "x-death": [death] }),
  };
}
