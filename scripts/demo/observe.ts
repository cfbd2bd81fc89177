/** The demo's own eyes: raw subscriptions to replies and events, and the depth of the queues. */
import { type Channel, type ChannelModel, type ConsumeMessage, connect } from "amqplib";

export interface ObserverOptions {
  amqpUrl: string;
  /** ENGINE_PREFIX */
  prefix: string;
  runId: string;
  workspaceId: string;
}

/** Distinct texts under one id, with how often each came. */
type Texts = Map<string, number>;

export interface Observer {
  replyQueue: string;
  /** Job id → what came as its reply: `<message id> <body>`, each distinct one with its count. */
  replies: ReadonlyMap<string, Texts>;
  /** Job id → when its first reply came, epoch ms. */
  repliedAt: ReadonlyMap<string, number>;
  /** Event id → its distinct bodies. */
  events: ReadonlyMap<string, Texts>;
  /** Messages that wait in an engine's queue, without those delivered to a worker. */
  depth(engine: string): Promise<number>;
  close(): Promise<void>;
}

const EVENT_TYPE = "activity.recorded";

/** Subscribes; from its return on, nothing is missed. Uses no code of the engines' runtime. */
export async function openObserver(options: ObserverOptions): Promise<Observer> {
  const { amqpUrl, prefix, runId, workspaceId } = options;
  const connection = await connect(amqpUrl, { noDelay: true });
  connection.on("error", () => {});
  const channel = await connection.createChannel();
  const replyQueue = `demo.${runId}.replies`;
  const replies = new Map<string, Texts>();
  const repliedAt = new Map<string, number>();
  const events = new Map<string, Texts>();

  await channel.assertQueue(replyQueue, { exclusive: true, durable: false });
  await consume(channel, replyQueue, (message) => {
    const { messageId, correlationId } = message.properties;
    const jobId = String(correlationId);
    if (!repliedAt.has(jobId)) repliedAt.set(jobId, Date.now());
    record(replies, jobId, `${messageId} ${message.content.toString("utf8")}`);
  });

  const { queue: eventQueue } = await channel.assertQueue("", { exclusive: true, durable: false });
  await channel.bindQueue(eventQueue, `${prefix}.events`, EVENT_TYPE);
  await consume(channel, eventQueue, (message) => {
    const body = message.content.toString("utf8");
    // Another caller's events, or those of an interrupted run, pass by here too.
    if (body.includes(workspaceId)) record(events, String(message.properties.messageId), body);
  });

  const depth = depthReader(connection, prefix);
  return { replyQueue, replies, repliedAt, events, depth, close: () => connection.close() };
}

async function consume(
  channel: Channel,
  queue: string,
  onMessage: (message: ConsumeMessage) => void,
) {
  await channel.consume(queue, (message) => message && onMessage(message), { noAck: true });
}

function record(texts: Map<string, Texts>, id: string, text: string): void {
  const known = texts.get(id) ?? new Map<string, number>();
  known.set(text, (known.get(text) ?? 0) + 1);
  texts.set(id, known);
}

/** Passive declares, on a channel of their own: a queue that is not there closes it, and it is opened anew. */
function depthReader(connection: ChannelModel, prefix: string) {
  let opened: Promise<Channel> | undefined;
  const open = async () => {
    const channel = await connection.createChannel();
    channel.on("error", () => {});
    channel.on("close", () => {
      opened = undefined;
    });
    return channel;
  };
  return async (engine: string) => {
    opened ??= open();
    const channel = await opened;
    return (await channel.checkQueue(`${prefix}.${engine}`)).messageCount;
  };
}
