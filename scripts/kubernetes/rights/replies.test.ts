/** Replies through the default exchange and through one of their own, under exactly the rights that are printed for each. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { action, defineWorker, type WorkerDefinition } from "@tl-engine/shared";
import { openConnection } from "@tl-engine/shared/broker/connection";
import { ask } from "@tl-engine/shared/broker/management";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { contractOf } from "../../../shared/client/contract-of.ts";
import { connect } from "../../../shared/client/index.ts";
import { openTestFleet, type TestFleet } from "../../../shared/testing/fleet.ts";
import burials from "../../../workers/burials/index.ts";
import { urlAs } from "./apply.ts";
import { eventTypesOf, rightsOf } from "./statements.ts";
import { printedRights } from "./testing/printed-rights.ts";
import { makeBrokerUser } from "./testing/users.ts";

const managementUrl = String(process.env.RABBITMQ_MANAGEMENT_URL);
const password = randomBytes(12).toString("hex");
const ACCESS_REFUSED = 403;

const echo = defineWorker({
  name: "echo",
  concurrency: 4,
  timeoutMs: 5_000,
  maxAttempts: 1,
  actions: {
    say: action({
      version: 1,
      input: z.object({ value: z.number() }),
      output: z.object({ value: z.number() }),
      emits: { "echo.said": z.object({}) },
      handle(input, job) {
        if (input.value < 0) throw new Error("no");
        job.emit("echo.said", {});
        return input;
      },
    }),
  },
});
const contract = contractOf(echo);

const MODES = [
  ["the default exchange", () => ""],
  ["an exchange of its own", (prefix: string) => `${prefix}.replies`],
] as const;

test("the commands that are printed name the engine's events, and no default exchange where none is needed", async () => {
  const print = (NAME: string, REPLY_EXCHANGE: string) =>
    printedRights(NAME, { ENGINE_PREFIX: "engine", REPLY_EXCHANGE });
  const [shared, alone] = await Promise.all([
    print("activities", "engine.replies"),
    print("activities", ""),
  ]);
  expect(shared).toContain(
    "set_topic_permissions -p /engine engine.activities engine.events '^(activity\\.recorded)$'",
  );
  expect(shared).not.toContain("amq");
  expect(shared).toContain("engine\\.replies|");
  expect(alone).toContain("|amq\\.default|");
  expect(await print("tools", "engine.replies")).not.toContain("amq");
});

describe.runIf(process.env.RABBITMQ_MANAGEMENT_URL).each(MODES)(
  "replies go through %s",
  (_, of) => {
    let fleet: TestFleet;
    let replyExchange: string;
    const users: string[] = [];
    const foreign = `celery-${randomBytes(4).toString("hex")}`;

    /** The broker's address for an engine's user, which may do what is printed. */
    async function userOf({ name, actions }: Pick<WorkerDefinition, "name" | "actions">) {
      const { broker } = rightsOf({
        engine: name,
        prefix: fleet.config.ENGINE_PREFIX,
        replyExchange,
        emits: eventTypesOf(actions),
        schema: undefined,
        handlersUseRedis: false,
      });
      users.push(broker.user);
      await makeBrokerUser(managementUrl, fleet.config.AMQP_URL, broker, password);
      return urlAs(fleet.config.AMQP_URL, broker.user, password);
    }

    /** The reply code that a user's publish is refused with; undefined where it is taken. */
    async function refusal(amqpUrl: string, exchange: string, routingKey: string) {
      const { model } = await openConnection({ ...fleet.config, AMQP_URL: amqpUrl }, "rights");
      try {
        const channel = await model.createConfirmChannel();
        return await new Promise<number | undefined>((resolve) => {
          channel.on("error", (error) => resolve((error as Error & { code?: number }).code));
          channel.publish(exchange, routingKey, Buffer.from("{}"), {}, (error) => {
            if (!error) resolve(undefined);
          });
        });
      } finally {
        await model.close();
      }
    }

    let urls: { echo: string; burials: string };
    beforeAll(async () => {
      fleet = await openTestFleet([echo, burials], [], ({ prefix }) => ({
        replyExchange: of(prefix),
      }));
      replyExchange = of(fleet.config.ENGINE_PREFIX);
      urls = { echo: await userOf(echo), burials: await userOf(burials) };
      await fleet.channel.assertQueue(foreign, { durable: false, autoDelete: true });
      if (replyExchange !== "")
        await fleet.channel.bindQueue(fleet.replyTo, replyExchange, fleet.replyTo);
      const more = { REPLY_EXCHANGE: replyExchange, RABBITMQ_MANAGEMENT_URL: "" };
      await fleet.start(echo, { ...more, AMQP_URL: urls.echo });
      await fleet.start(burials, { ...more, AMQP_URL: urls.burials });
    });
    afterAll(async () => {
      if (fleet === undefined) return;
      await fleet.channel.deleteQueue(foreign);
      await fleet.close();
      for (const user of users) await ask(managementUrl, "DELETE", ["users", user]);
    });

    test("a call, a durable reply queue, an event, a dead letter and a burial work", async () => {
      const { AMQP_URL, ENGINE_PREFIX: prefix } = fleet.config;
      const replyQueue = `${prefix}x.replies.durable`;
      const events: string[] = [];
      const replies: string[] = [];
      const client = await connect({
        ...{ amqpUrl: AMQP_URL, prefix, contract, replyQueue, replyExchange },
        appId: `${prefix}x`,
      });
      try {
        await client.events("echo.said", ({ type }) => void events.push(type));
        await client.onReply(({ id }) => void replies.push(id));
        expect(await client.call("echo", "say", { value: 7 })).toEqual({ value: 7 });
        const { id } = await client.send("echo", "say", { value: 8 });
        await fleet.until("its reply", () => replies.includes(id) || undefined);
        await fleet.until("the events", () => events.length === 2 || undefined);
        // A queue that is declared anew is bound anew.
        await fleet.channel.deleteQueue(replyQueue);
        await fleet.until("a reply by the new queue", async () => {
          const { id: next } = await client.send("echo", "say", { value: 9 });
          await sleep(200);
          return replies.includes(next) || undefined;
        });
        await expect(client.call("echo", "say", { value: -1 })).rejects.toMatchObject({
          code: "attempts_exhausted",
        });
        fleet.channel.publish(fleet.names.burials, "", Buffer.from("{}"), {
          headers: { "x-death": [{ queue: fleet.names.queue("echo"), reason: "expired" }] },
          ...{ messageId: fleet.newId(), correlationId: "buried", replyTo: fleet.replyTo },
        });
        expect((await fleet.reply("buried")).reply).toMatchObject({ error: { code: "expired" } });
        await fleet.until("both letters", async () => {
          const { messageCount } = await fleet.channel.checkQueue(fleet.names.dead("echo"));
          return messageCount === 2 || undefined;
        });
      } finally {
        await client.close();
        await fleet.channel.deleteQueue(replyQueue);
      }
    });

    test("a foreign queue is out of reach unless replies need the default exchange", async () => {
      const expected = replyExchange === "" ? undefined : ACCESS_REFUSED;
      expect(await refusal(urls.echo, "", foreign)).toBe(expected);
      expect(await refusal(urls.burials, "", foreign)).toBe(expected);
    });

    test("events of other types and the graves of other engines are out of reach", async () => {
      const { names } = fleet;
      expect(await refusal(urls.echo, names.events, "echo.said")).toBeUndefined();
      expect(await refusal(urls.echo, names.events, "activity.recorded")).toBe(ACCESS_REFUSED);
      expect(await refusal(urls.burials, names.events, "echo.said")).toBe(ACCESS_REFUSED);
      expect(await refusal(urls.echo, names.dead("burials"), "")).toBe(ACCESS_REFUSED);
      expect(await refusal(urls.echo, names.jobs, "echo")).toBe(ACCESS_REFUSED);
      expect(await refusal(urls.burials, names.jobs, "echo")).toBe(ACCESS_REFUSED);
    });

    test.runIf(of("p") !== "")("a direct reply-to is refused, with what to do", async () => {
      const { names } = fleet;
      await fleet.channel.purgeQueue(names.dead("echo"));
      const channel = await fleet.model.createChannel();
      await channel.consume("amq.rabbitmq.reply-to", () => {}, { noAck: true });
      const messageId = fleet.newId();
      channel.publish(names.jobs, "echo", Buffer.from('{"value":1}'), {
        ...{ messageId, type: "echo.say.v1", contentType: "application/json" },
        replyTo: "amq.rabbitmq.reply-to",
      });
      const [row] = await fleet.until("its row", async () => {
        const rows = await fleet.rows(messageId);
        return rows.length > 0 ? rows : undefined;
      });
      expect(row).toMatchObject({ status: "failed", code: "invalid_input" });
      expect(String(row?.reply)).toContain(`bind it to ${replyExchange}`);
      await channel.close();
    });
  },
);
