/** The demo's own eyes: raw subscriptions to replies and events, and the depth of the queues. */
import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import { type KeptConnectionOptions, keepConnected } from "./kept-connection.ts";
import { publisherOf } from "./users.ts";

export interface ObserverOptions extends Pick<KeptConnectionOptions, "amqpUrl" | "onGivenUp"> {
  /** ENGINE_PREFIX */
  prefix: string;
  runId: string;
  workspaceId: string;
}

/** Distinct texts under one id, with how often each came. */
type Texts = Map<string, number>;
/** Event type → event id → its distinct bodies. */
export type Announced = ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<string, number>>>;

export interface Observer {
  replyQueue: string;
  /** Job id → what came as its reply: `<message id> <body>`, each distinct one with its count. */
  replies: ReadonlyMap<string, Texts>;
  /** Job id → when its first reply came, epoch ms. */
  repliedAt: ReadonlyMap<string, number>;
  /** Event id → its distinct bodies. */
  events: ReadonlyMap<string, Texts>;
  /** The events of the other engines. */
  announced: Announced;
  /** Messages that wait in an engine's queue, without those delivered to a worker. */
  depth(engine: string): Promise<number>;
  close(): Promise<void>;
}

const EVENT_TYPE = "activity.recorded";
const ANNOUNCED_TYPES = ["notification.created", "automation.fired", "sla.breached"];
/** They outlive a restart of the broker, and not a demo that was killed. */
const QUEUE = { durable: true, arguments: { "x-expires": 600_000 } };
const PREFETCH = 500;

/** The queues of a run that hold what the observer has not seen yet: its publisher's own. */
export const observedQueues = (runId: string) => ({
  replies: `${publisherOf(runId)}.replies`,
  events: `${publisherOf(runId)}.events`,
});

/**
 * Subscribes; from its return on, nothing is missed, also when the broker is restarted. Uses no code of the
 * engines' runtime.
 */
export async function openObserver(options: ObserverOptions): Promise<Observer> {
  const { prefix, runId, workspaceId } = options;
  const queues = observedQueues(runId);
  const replies = new Map<string, Texts>();
  const repliedAt = new Map<string, number>();
  const events = new Map<string, Texts>();
  const announced = new Map(ANNOUNCED_TYPES.map((type) => [type, new Map<string, Texts>()]));

  const onReply = ({ properties: { messageId, correlationId }, content }: ConsumeMessage) => {
    const jobId = String(correlationId);
    if (!repliedAt.has(jobId)) repliedAt.set(jobId, Date.now());
    record(replies, jobId, `${messageId} ${content.toString("utf8")}`);
  };
  const onEvent = ({ fields, properties, content }: ConsumeMessage) => {
    const body = content.toString("utf8");
    // Another caller's events, or those of an interrupted run, pass by here too.
    if (!body.includes(workspaceId)) return;
    record(announced.get(fields.routingKey) ?? events, String(properties.messageId), body);
  };
  const kept = await keepConnected({
    ...options,
    async setUp(connection) {
      const channel = await connection.createChannel();
      channel.on("error", () => {});
      // A channel alone can be lost, too: all is made anew.
      channel.on("close", () => void connection.close().catch(() => {}));
      await channel.prefetch(PREFETCH);
      for (const queue of Object.values(queues)) await channel.assertQueue(queue, QUEUE);
      for (const type of [EVENT_TYPE, ...ANNOUNCED_TYPES])
        await channel.bindQueue(queues.events, `${prefix}.events`, type);
      await consume(channel, queues.replies, onReply);
      await consume(channel, queues.events, onEvent);
    },
  });
  const close = () => kept.close();
  const depth = depthReader(() => kept.current(), prefix);
  return { replyQueue: queues.replies, replies, repliedAt, events, announced, depth, close };
}

/** What was seen is acked, so that what a lost connection carried comes again. */
async function consume(
  channel: Channel,
  queue: string,
  onMessage: (message: ConsumeMessage) => void,
) {
  let isOpen = true;
  channel.on("close", () => {
    isOpen = false;
  });
  await channel.consume(queue, (message) => {
    if (!message) return;
    onMessage(message);
    if (isOpen) channel.ack(message);
  });
}

function record(texts: Map<string, Texts>, id: string, text: string): void {
  const known = texts.get(id) ?? new Map<string, number>();
  known.set(text, (known.get(text) ?? 0) + 1);
  texts.set(id, known);
}

/** Passive declares, on a channel of their own: a queue that is not there closes it, and it is opened anew. */
function depthReader(connection: () => ChannelModel | undefined, prefix: string) {
  let opened: Promise<Channel> | undefined;
  const open = async () => {
    const model = connection();
    if (model === undefined) throw new Error("the broker is away");
    const channel = await model.createChannel();
    channel.on("error", () => {});
    channel.on("close", () => {
      opened = undefined;
    });
    return channel;
  };
  return async (engine: string) => {
    opened ??= open();
    const channel = await opened.catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return (await channel.checkQueue(`${prefix}.${engine}`)).messageCount;
  };
}
