/** What the publisher says of messages that can't go, on a broker with a low limit on their size. */
import { randomBytes } from "node:crypto";
import type { ChannelModel, ConfirmChannel } from "amqplib";
import pino from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { channelClose, channelOf, methodOf, rewriteBefore } from "../testing/amqp-rewrite.ts";
import { hasOwnBroker, type OwnBroker, startOwnBroker } from "../testing/own-broker.ts";
import { vhostOf } from "./address.ts";
import { openConnection } from "./connection.ts";
import { openPublisher, type Publisher } from "./publish.ts";
import type { Outgoing } from "./publish-frames.ts";

const MAX_MESSAGE_BYTES = 100_000;
const BASIC_PUBLISH = 0x003c0028;

describe.skipIf(!hasOwnBroker)("a message that can't go", () => {
  let broker: OwnBroker;
  let model: ChannelModel;
  let channel: ConfirmChannel;
  let queue: string;
  const publishers: Publisher[] = [];
  const config = (AMQP_URL = broker.amqpUrl) => ({
    AMQP_URL,
    AMQP_HEARTBEAT_S: 30,
    BROKER_PROFILE: "auto" as const,
    WORKER_ID: "w",
  });

  beforeAll(async () => {
    broker = await startOwnBroker(`max_message_size = ${MAX_MESSAGE_BYTES}\n`);
    ({ model } = await openConnection(config(), "test"));
    channel = await model.createConfirmChannel();
    queue = (await channel.assertQueue("arrived")).queue;
  });
  afterEach(async () => {
    for (const publisher of publishers.splice(0)) await publisher.close();
    await channel.purgeQueue(queue);
  });
  afterAll(async () => {
    await model?.close();
    await broker?.stop();
  });

  async function open(url?: string, confirmTimeoutMs?: number) {
    const lines: { level: number; msg: string; err?: { message: string } }[] = [];
    const log = pino({ level: "info" }, { write: (line) => lines.push(JSON.parse(line)) });
    const publisher = await openPublisher(config(url), "probe", log, confirmTimeoutMs);
    publishers.push(publisher);
    return { publisher, lines };
  }

  const message = (id: string, more: Partial<Outgoing> = {}): Outgoing => ({
    exchange: "",
    routingKey: queue,
    body: "{}",
    messageId: id,
    type: "probe.run.v1.result",
    mandatory: true,
    ...more,
  });
  const tooLarge = () => randomBytes(MAX_MESSAGE_BYTES + 1);

  async function arrived(): Promise<Set<string>> {
    const ids = new Set<string>();
    for (;;) {
      const got = await channel.get(queue, { noAck: true });
      if (got === false) return ids;
      ids.add(String(got.properties.messageId));
    }
  }

  test("too large for the broker: it alone is unsendable, its neighbours arrive", async () => {
    const { publisher, lines } = await open();
    const sent = Array.from({ length: 41 }, (_, n) =>
      publisher.publish(message(`m${n}`, n === 20 ? { body: tooLarge() } : {})),
    );
    const ends = await Promise.all(sent);
    expect(ends[20]).toBe("unsendable");
    expect(new Set(ends.toSpliced(20, 1))).toEqual(new Set(["routed"]));
    expect((await arrived()).size).toBe(40);
    expect(lines).toContainEqual(
      expect.objectContaining({
        msg: "the broker can't take this message",
        err: expect.objectContaining({ message: expect.stringContaining("406") }),
      }),
    );
    expect(await publisher.publish(message("after"))).toBe("routed");
  });

  test("several of them at once, and others that come meanwhile", async () => {
    const { publisher } = await open();
    const large = Promise.all(
      Array.from({ length: 5 }, (_, n) =>
        publisher.publish(message(`large-${n}`, { body: tooLarge() })),
      ),
    );
    let isJudged = false;
    void large.then(() => {
      isJudged = true;
    });
    const small: string[] = [];
    while (!isJudged) small.push(await publisher.publish(message(`small-${small.length}`)));
    expect(await large).toEqual(Array(5).fill("unsendable"));
    expect(new Set(small)).toEqual(new Set(["routed"]));
    expect((await arrived()).size).toBe(small.length);
  });

  test("a text too long to encode is unsendable at once, on the same connection", async () => {
    const { publisher, lines } = await open();
    const neighbour = publisher.publish(message("neighbour"));
    expect(await publisher.publish(message("x", { correlationId: "ñ".repeat(128) }))).toBe(
      "unsendable",
    );
    const headers = { "x-error": "e".repeat(140_000) };
    expect(await publisher.publish(message("y", { headers }))).toBe("unsendable");
    expect(await neighbour).toBe("routed");
    expect(lines.map(({ msg }) => msg)).toEqual(Array(2).fill("a message can't be encoded"));
  });

  test("a full queue refuses, and nothing is sent again", async () => {
    const full = await channel.assertQueue("", {
      exclusive: true,
      arguments: { "x-max-length": 1, "x-overflow": "reject-publish" },
    });
    const { publisher, lines } = await open();
    const to = { routingKey: full.queue };
    expect(await publisher.publish(message("first", to))).toBe("routed");
    const ends = await Promise.all([
      publisher.publish(message("second", to)),
      publisher.publish(message("neighbour")),
    ]);
    expect(ends).toEqual(["refused", "routed"]);
    expect(lines).toEqual([]);
  });

  test("a queue that is missing returns", async () => {
    const { publisher } = await open();
    expect(await publisher.publish(message("x", { routingKey: "missing" }))).toBe("returned");
  });

  test("an exchange that is missing refuses its messages alone, until it is there", async () => {
    const { publisher, lines } = await open();
    const to = { exchange: "later", routingKey: "k", mandatory: false };
    const events = Array.from({ length: 100 }, () => publisher.publish(message("event", to)));
    expect(await publisher.publish(message("reply"))).toBe("routed");
    expect(new Set(await Promise.all(events))).toEqual(new Set(["refused"]));
    // One was asked for all of them.
    expect(lines.filter(({ msg }) => msg.includes("lets nothing go"))).toHaveLength(1);
    await channel.assertExchange("later", "fanout", { durable: false });
    await expect.poll(() => publisher.publish(message("event", to))).toBe("routed");
    await channel.deleteExchange("later");
  });

  test("a disk alarm as LavinMQ has it is nobody's fault: all wait, in few connections and few words", async () => {
    let isFull = false;
    const between = await rewriteBefore(broker.amqpUrl, () => {
      const closed = new Set<number>();
      return {
        up(frame, answer) {
          if (isFull && methodOf(frame) === BASIC_PUBLISH && !closed.has(channelOf(frame))) {
            closed.add(channelOf(frame));
            const text = "PRECONDITION_FAILED - Server low on disk space";
            answer(channelClose(channelOf(frame), 406, text));
          }
          return closed.has(channelOf(frame)) ? undefined : frame;
        },
      };
    });
    try {
      const { publisher, lines } = await open(between.url);
      expect(await publisher.publish(message("before"))).toBe("routed");
      isFull = true;
      let settled = 0;
      const sent = Array.from({ length: 10 }, (_, n) => publisher.publish(message(`full-${n}`)));
      for (const end of sent) void end.then(() => settled++);
      await expect.poll(() => publisher.ready()).toBe(false);
      sent.push(publisher.publish(message("during")));
      const before = between.opened();
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      expect(settled).toBe(0);
      expect(between.opened() - before).toBeLessThan(15);
      expect(lines.length).toBeLessThan(6);
      isFull = false;
      expect(new Set(await Promise.all(sent))).toEqual(new Set(["routed"]));
      expect(publisher.ready()).toBe(true);
      expect((await arrived()).size).toBe(12);
      expect(lines.at(-1)?.msg).toBe("the broker takes messages again");
    } finally {
      await between.close();
    }
  });

  /** The broker, to which nothing comes that is published under this routing key. */
  const deafTo = (routingKey: string) =>
    rewriteBefore(broker.amqpUrl, () => {
      let isLost = false;
      return {
        up(frame) {
          const method = methodOf(frame);
          if (method !== undefined) isLost = method === BASIC_PUBLISH && frame.includes(routingKey);
          return isLost && channelOf(frame) > 0 ? undefined : frame;
        },
      };
    });

  test("a queue that confirms nothing holds up none of what is tried alone, or comes later", async () => {
    const between = await deafTo("silent");
    try {
      const { publisher } = await open(between.url, 500);
      const silent = publisher.publish(message("silent", { routingKey: "silent" }));
      const ends = await Promise.all([
        publisher.publish(message("large", { body: tooLarge() })),
        publisher.publish(message("neighbour")),
      ]);
      expect(ends).toEqual(["unsendable", "routed"]);
      for (let n = 0; n < 10; n++)
        expect(await publisher.publish(message(`later-${n}`))).toBe("routed");
      expect(publisher.ready()).toBe(true);
      expect(await silent).toBe("unconfirmed");
    } finally {
      await between.close();
    }
  });

  test("it is told apart also by a user without a right to the default exchange", async () => {
    await channel.assertExchange("replies", "direct");
    await channel.bindQueue(queue, "replies", "loud");
    await broker.rabbitmqctl("add_user", "narrow", "narrow");
    const vhost = vhostOf(broker.amqpUrl);
    await broker.rabbitmqctl("set_permissions", "-p", vhost, "narrow", "^$", "^replies$", "^$");
    const between = await deafTo("silent");
    try {
      const url = new URL(between.url);
      url.username = "narrow";
      url.password = "narrow";
      const { publisher } = await open(url.href, 500);
      const to = (routingKey: string) =>
        publisher.publish(message(routingKey, { exchange: "replies", routingKey }));
      expect(await to("silent")).toBe("unconfirmed");
      expect(await to("loud")).toBe("routed");
    } finally {
      await between.close();
    }
  });

  test("a queue whose leader is frozen: its message is told apart, and others go meanwhile", async () => {
    const frozen = "frozen";
    await channel.assertQueue(frozen, { arguments: { "x-queue-type": "quorum" } });
    const leader = `'/engine_${frozen}'`;
    await broker.rabbitmqctl("eval", `sys:suspend(${leader}).`);
    try {
      const { publisher } = await open(undefined, 1_000);
      const silent = publisher.publish(message("silent", { routingKey: frozen }));
      const behind = Array.from({ length: 20 }, (_, n) => publisher.publish(message(`b${n}`)));
      expect(new Set(await Promise.all(behind))).toEqual(new Set(["routed"]));
      expect(await silent).toBe("unconfirmed");
      // Known by now, so that it costs neither time nor the connection of the others.
      expect(await publisher.publish(message("again", { routingKey: frozen }))).toBe("unconfirmed");
      expect(await publisher.publish(message("later"))).toBe("routed");
    } finally {
      await broker.rabbitmqctl("eval", `sys:resume(${leader}).`);
      await channel.deleteQueue(frozen);
    }
  });

  test("closing ends the wait of what is tried alone", async () => {
    const between = await rewriteBefore(broker.amqpUrl, () => ({
      up(frame, answer) {
        if (methodOf(frame) === BASIC_PUBLISH) answer(channelClose(channelOf(frame), 406, "full"));
        return methodOf(frame) === BASIC_PUBLISH || frame[0] !== 1 ? undefined : frame;
      },
    }));
    try {
      const { publisher } = await open(between.url);
      const sent = publisher.publish(message("x"));
      const aborting = new AbortController();
      const aborted = publisher.publish(message("y"), aborting.signal);
      await expect.poll(() => publisher.ready()).toBe(false);
      aborting.abort(new Error("enough"));
      await expect(aborted).rejects.toThrow("enough");
      await publisher.close();
      await expect(sent).rejects.toMatchObject({ name: "LinkClosed" });
    } finally {
      await between.close();
    }
  });
});
