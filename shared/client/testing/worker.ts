/** A stand-in for a worker: answers jobs as the wire says, and misbehaves when the input asks for it. */
import amqplib from "amqplib";
import { HEADERS } from "../../wire/headers.ts";
import { brokerNames, jobKey } from "../../wire/names.ts";
import { replyId } from "../../wire/reply.ts";

export interface StandIn {
  /** How often each job id arrived. */
  readonly arrivals: Map<string, number>;
  /** The routing key that each job id came with. */
  readonly routingKeys: Map<string, string>;
  /** The body that each job id came with. */
  readonly bodies: Map<string, unknown>;
  /** Announces an event. */
  announce(type: string, body: unknown, id: string): Promise<void>;
  close(): Promise<void>;
}

interface EchoInput {
  value: number;
  /** What to do instead of one reply: none, two of the same, an error. */
  answer?: "none" | "twice" | "fail" | "garbage";
}

/** Declares the broker's side of one engine, as the topology does. */
export async function declareTopology(url: string, prefix: string, engine = "echo"): Promise<void> {
  const names = brokerNames(prefix);
  const connection = await amqplib.connect(url);
  const channel = await connection.createChannel();
  await channel.assertExchange(names.jobs, "direct");
  await channel.assertExchange(names.events, "topic");
  await channel.assertExchange(names.later, "topic");
  // Classic: RabbitMQ 3.10 can forget a quorum queue that was declared just before a kill -9.
  await channel.assertQueue(names.queue(engine), { durable: true });
  await channel.bindQueue(names.queue(engine), names.jobs, engine);
  await channel.assertQueue(names.queue(engine, "bulk"), { durable: true });
  await channel.bindQueue(names.queue(engine, "bulk"), names.jobs, jobKey(engine, "bulk"));
  await connection.close();
}

export async function removeTopology(url: string, prefix: string, engine = "echo"): Promise<void> {
  const names = brokerNames(prefix);
  const connection = await amqplib.connect(url);
  const channel = await connection.createChannel();
  await channel.deleteQueue(names.queue(engine));
  await channel.deleteQueue(names.queue(engine, "bulk"));
  for (const queue of [`app.${prefix}.replies`, `app.${prefix}.events`])
    await channel.deleteQueue(queue);
  await channel.deleteExchange(names.jobs);
  await channel.deleteExchange(names.events);
  await channel.deleteExchange(names.later);
  await connection.close();
}

/** Its actions answer with the `value` that they were given. */
export async function startStandIn(url: string, prefix: string, engine = "echo"): Promise<StandIn> {
  const names = brokerNames(prefix);
  const connection = await amqplib.connect(url);
  connection.on("error", () => {});
  const channel = await connection.createConfirmChannel();
  channel.on("error", () => {});
  const arrivals = new Map<string, number>();
  const routingKeys = new Map<string, string>();
  const bodies = new Map<string, unknown>();
  await channel.prefetch(500);
  const send = (queue: string, body: unknown, properties: amqplib.Options.Publish) =>
    channel.sendToQueue(queue, Buffer.from(JSON.stringify(body)), {
      contentType: "application/json",
      persistent: true,
      ...properties,
    });
  const answer = (message: amqplib.ConsumeMessage | null) => {
    if (!message) return;
    const { messageId: id, replyTo, correlationId } = message.properties;
    routingKeys.set(id, message.fields.routingKey);
    arrivals.set(id, (arrivals.get(id) ?? 0) + 1);
    const sent: EchoInput = JSON.parse(message.content.toString());
    const { value, answer: how } = sent;
    bodies.set(id, sent);
    const failed = how === "fail";
    const details = [{ path: "answer", message: "it was told to fail" }];
    const error = { code: "rejected", message: "no", retriable: false, attempt: 1, details };
    const good = { status: "succeeded", output: { value } };
    const body = how === "garbage" ? 1 : failed ? { status: "failed", error } : good;
    const properties = {
      messageId: replyId(engine, id, 0, failed ? "failed" : "succeeded"),
      correlationId: correlationId ?? id,
      type: `${engine}.say.v1.${failed ? "error" : "result"}`,
      headers: { [HEADERS.attempt]: 1 },
    };
    const copies = how === "none" ? 0 : how === "twice" ? 2 : 1;
    if (replyTo) for (let i = 0; i < copies; i++) send(replyTo, body, properties);
    channel.ack(message);
  };
  for (const lane of ["interactive", "bulk"] as const)
    await channel.consume(names.queue(engine, lane), answer);
  return {
    arrivals,
    routingKeys,
    bodies,
    async announce(type, body, messageId) {
      const content = Buffer.from(JSON.stringify(body));
      channel.publish(names.events, type, content, { type, messageId, persistent: true });
      await channel.waitForConfirms();
    },
    close: () => connection.close().catch(() => {}),
  };
}
