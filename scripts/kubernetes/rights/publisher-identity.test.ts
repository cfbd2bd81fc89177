/** Whose job it is, on real services: a publisher reaches nothing of another's, and what a job goes through keeps its own. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { brokerUserOf, vhostOf } from "../../../shared/broker/address.ts";
import { openConnection } from "../../../shared/broker/connection.ts";
import { ask } from "../../../shared/broker/management.ts";
import { openPublisher } from "../../../shared/broker/publish.ts";
import { action, defineWorker, Reject } from "../../../shared/index.ts";
import { createLog } from "../../../shared/process/log.ts";
import { openTestFleet, type TestFleet } from "../../../shared/testing/fleet.ts";
import { until } from "../../../shared/testing/seen.ts";
import { listLetters } from "../../operate/dead-letters/list.ts";
import { replayLetters } from "../../operate/dead-letters/replay.ts";

const SECRET = "only alice may read this";
const managementUrl = process.env.RABBITMQ_MANAGEMENT_URL;
const password = randomBytes(12).toString("hex");
const nonce = randomBytes(4).toString("hex");
const alice = `alice-${nonce}`;
const mallory = `mallory-${nonce}`;

let isBroken = false;
const owned = defineWorker({
  name: "owned",
  concurrency: 4,
  timeoutMs: 5_000,
  actions: {
    run: action({
      version: 1,
      input: z.object({ fails: z.enum(["once", "always"]).optional() }),
      output: z.object({ secret: z.string() }),
      handle({ fails }, job) {
        if (fails === "once" && job.attempt === 1) throw new Error("once");
        if (fails === "always" && isBroken) throw new Reject("broken");
        return { secret: SECRET };
      },
    }),
  },
});

/** What `publish` takes beside a body. */
type Properties = NonNullable<Parameters<TestFleet["publish"]>[3]>;

interface User {
  model: TestFleet["model"];
  channel: TestFleet["channel"];
  replyTo: string;
  replies: { id: string; userId: unknown; text: string }[];
  send(id: string, input: object, properties?: Properties): Promise<void>;
  reply(id: string): Promise<{ userId: unknown; text: string }>;
}

let fleet: TestFleet;
const users: User[] = [];

async function join(name: string): Promise<User> {
  const url = new URL(fleet.config.AMQP_URL);
  await ask(managementUrl as string, "PUT", ["users", name], { password, tags: "" });
  const all = { configure: ".*", write: ".*", read: ".*" };
  const vhost = vhostOf(url.href);
  await ask(managementUrl as string, "PUT", ["permissions", vhost, name], all);
  Object.assign(url, { username: name, password });
  const { model } = await openConnection({ ...fleet.config, AMQP_URL: url.href }, name);
  const channel = await model.createConfirmChannel();
  const replyTo = `${name}.replies`;
  await channel.assertQueue(replyTo, { exclusive: true });
  const replies: User["replies"] = [];
  await channel.consume(replyTo, (message) => {
    const { correlationId, userId } = message?.properties ?? {};
    replies.push({ id: String(correlationId), userId, text: String(message?.content) });
  });
  const user: User = {
    ...{ model, channel, replyTo, replies },
    async send(messageId, input, properties = {}) {
      const body = Buffer.from(JSON.stringify(input));
      const type = "owned.run.v1";
      const all = { messageId, type, replyTo, userId: name, contentType: "application/json" };
      channel.publish(fleet.names.jobs, "owned", body, { ...all, ...properties });
      await channel.waitForConfirms();
    },
    reply: (id) => until(`reply to ${id}`, () => replies.find((reply) => reply.id === id)),
  };
  users.push(user);
  return user;
}

beforeAll(async () => {
  fleet = await openTestFleet([owned]);
  await fleet.start(owned, {
    REPLY_TO_ALLOW: `*.replies,*.replies.*,${mallory}=${mallory}.replies`,
  });
});
afterAll(async () => {
  for (const { model } of users) await model.close();
  if (managementUrl !== undefined)
    for (const name of [alice, mallory]) await ask(managementUrl, "DELETE", ["users", name]);
  await fleet?.close();
});

test.skipIf(managementUrl === undefined)("one publisher reaches nothing of another's", async () => {
  const [a, m] = [await join(alice), await join(mallory)];
  const id = fleet.newId();
  await a.send(id, {});
  expect(JSON.parse((await a.reply(id)).text)).toMatchObject({ output: { secret: SECRET } });

  await m.send(id, {});
  const told = (await m.reply(id)).text;
  expect(JSON.parse(told)).toMatchObject({ error: { code: "idempotency_conflict" } });
  expect(told).not.toContain(SECRET);
  expect(await fleet.rows(id)).toMatchObject([{ publisher: alice, status: "succeeded" }]);

  // Nor is its own output delivered to the other's queue.
  const other = fleet.newId();
  await m.send(other, {}, { replyTo: a.replyTo });
  await fleet.until("the refusal", async () => (await fleet.rows(other))[0]);
  expect(await fleet.rows(other)).toMatchObject([{ code: "invalid_input", publisher: mallory }]);

  // What only the runtime says is not believed, wherever it is hidden: the job stays as it was.
  const forged = { "x-replay": 7, "x-crashes": 5, "x-attempt": 9, "x-publisher": alice };
  const hidden = JSON.parse(`{"__proto__": ${JSON.stringify(forged)}}`);
  for (const headers of [forged, hidden]) {
    const forgery = fleet.newId();
    await m.send(forgery, {}, { headers });
    expect(JSON.parse((await m.reply(forgery)).text)).toMatchObject({
      error: { code: "invalid_input", attempt: 0 },
    });
    expect(await fleet.rows(forgery)).toMatchObject([{ publisher: mallory, generation: 0 }]);
  }
  expect(a.replies.filter((reply) => reply.id !== id)).toEqual([]);
});

test.skipIf(managementUrl === undefined)(
  "a retry, a dead letter and its replay keep the publisher",
  async () => {
    const user = users[0] as User;
    const engineUser = brokerUserOf(fleet.config.AMQP_URL);
    const retried = fleet.newId();
    await user.send(retried, { fails: "once" });
    const reply = await user.reply(retried);
    expect(JSON.parse(reply.text)).toMatchObject({ status: "succeeded" });
    expect(reply.userId).toBe(engineUser);
    expect(await fleet.rows(retried)).toMatchObject([{ publisher: alice, attempt: 2 }]);

    isBroken = true;
    const id = fleet.newId();
    await user.send(id, { fails: "always" });
    await user.reply(id);
    isBroken = false;
    const publisher = await openPublisher(fleet.config, "test", createLog({}, "silent"));
    try {
      const which = { engine: "owned", names: fleet.names };
      await fleet.until("the letter", async () => {
        const { letters } = await listLetters(fleet, publisher, { ...which, limit: 100 });
        return letters.find((letter) => letter.id === id);
      });
      await replayLetters(fleet, publisher, { ...which, selection: { id } });
    } finally {
      await publisher.close();
    }
    await fleet.until("its success", async () => {
      const [row] = await fleet.rows(id);
      return row?.status === "succeeded" || undefined;
    });
    expect(await fleet.rows(id)).toMatchObject([{ publisher: alice, generation: 1 }]);
  },
);

test("a job of nobody's is nobody's after a retry, too", async () => {
  const id = await fleet.publish("owned", "run", { fails: "once" }, { userId: undefined });
  expect((await fleet.reply(id)).reply).toMatchObject({ status: "succeeded" });
  expect(await fleet.rows(id)).toMatchObject([{ publisher: null, attempt: 2 }]);
});
