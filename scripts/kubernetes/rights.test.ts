/** An engine whose users have the rights of `make rights`, and no others, does its whole work on real services. */
import { randomBytes } from "node:crypto";
import { openConnection } from "@tl-engine/shared/broker/connection";
import { ask } from "@tl-engine/shared/broker/management";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../../shared/engine/define-worker.ts";
import { openTestFleet, type TestFleet } from "../../shared/testing/fleet.ts";
import { urlAs } from "./rights/apply.ts";
import { eventTypesOf, type Rights, rightsOf } from "./rights/statements.ts";
import { makeBrokerUser, redisAcl } from "./rights/testing/users.ts";

const engine = `r${randomBytes(4).toString("hex")}`;
const password = randomBytes(12).toString("hex");

const definition = defineWorker({
  name: engine,
  concurrency: 4,
  timeoutMs: 5_000,
  redis: true,
  actions: {
    run: action({
      version: 1,
      input: z.object({ fails: z.boolean().default(false) }),
      output: z.object({ attempt: z.number() }),
      emits: { "rights.done": z.object({}) },
      async handle({ fails }, job) {
        await job.redis.set(`${job.keyPrefix}last`, job.id);
        if (fails && job.attempt === 1) throw new Error("once");
        job.emit("rights.done", {});
        return { attempt: job.attempt };
      },
    }),
  },
});

const managementUrl = process.env.RABBITMQ_MANAGEMENT_URL;
let fleet: TestFleet;
let rights: Rights;

const as = (url: string, user: string) => urlAs(url, user, password);

beforeAll(async () => {
  fleet = await openTestFleet([definition]);
  rights = rightsOf({
    ...{ engine, prefix: fleet.config.ENGINE_PREFIX, replyExchange: "", schema: undefined },
    handlersUseRedis: true,
    emits: eventTypesOf(definition.actions),
  });
  const { broker, postgres, redis } = rights;
  await fleet.pool.query(`create role ${postgres.role} login password '${password}'`);
  for (const statement of postgres.statements) await fleet.pool.query(statement);
  await redisAcl(fleet.config.REDIS_URL, "SETUSER", redis.user, ...redis.rules, `>${password}`);
  if (managementUrl === undefined) return;
  await makeBrokerUser(managementUrl, fleet.config.AMQP_URL, broker, password);
});

afterAll(async () => {
  if (!rights) return fleet?.close();
  const { broker, postgres, redis } = rights;
  await fleet.pool.query(`drop owned by ${postgres.role}; drop role ${postgres.role}`);
  await redisAcl(fleet.config.REDIS_URL, "DELUSER", redis.user);
  if (managementUrl !== undefined) await ask(managementUrl, "DELETE", ["users", broker.user]);
  await fleet.close();
});

test("result, reply, event, retry and dead letter work with them", async () => {
  const { AMQP_URL, DATABASE_URL, REDIS_URL } = fleet.config;
  const urls = {
    AMQP_URL: managementUrl === undefined ? AMQP_URL : as(AMQP_URL, rights.broker.user),
    DATABASE_URL: as(DATABASE_URL, rights.postgres.role),
    REDIS_URL: as(REDIS_URL, rights.redis.user),
    // Its user may not ask the management API.
    RABBITMQ_MANAGEMENT_URL: "",
  };
  const worker = await fleet.start(definition, urls);
  const once = await fleet.publish(engine, "run", {});
  const retried = await fleet.publish(engine, "run", { fails: true });
  const refused = await fleet.publish(engine, "run", "nonsense");
  expect((await fleet.reply(once)).reply).toEqual({ status: "succeeded", output: { attempt: 1 } });
  expect((await fleet.reply(retried)).reply).toEqual({
    status: "succeeded",
    output: { attempt: 2 },
  });
  expect((await fleet.reply(refused)).reply).toMatchObject({ error: { code: "invalid_input" } });
  await fleet.until("the dead letter", async () => {
    const letters = await fleet.deadLetters(engine);
    return letters.some(({ id }) => id === refused) || undefined;
  });
  // Claims were made in Redis, so nothing was skipped for want of a right.
  const metrics = await (await fetch(`http://127.0.0.1:${worker.healthPort}/metrics`)).text();
  expect(metrics).toMatch(/^engine_redis_skipped_total\S* 0$/m);
});

test.skipIf(managementUrl === undefined)("the broker gives it no other queue", async () => {
  const { config, names } = fleet;
  const AMQP_URL = as(config.AMQP_URL, rights.broker.user);
  const { model } = await openConnection({ ...config, AMQP_URL }, "rights");
  try {
    for (const refused of [
      (channel: TestFleet["channel"]) => channel.get(names.dead(engine)),
      (channel: TestFleet["channel"]) => channel.assertQueue(`${names.queue(engine)}.own`),
      (channel: TestFleet["channel"]) =>
        channel.bindQueue(names.queue(engine), names.events, "activity.recorded"),
    ]) {
      const channel = await model.createConfirmChannel();
      channel.on("error", () => {});
      await expect(refused(channel)).rejects.toMatchObject({ code: 403 });
    }
  } finally {
    await model.close();
  }
});

test("Postgres shows it the rows of its engine alone", async () => {
  const client = await fleet.pool.connect();
  const values = "'other', 'x', 'succeeded', 1, 'other.run.v1', 'h', '{}', 'w', now()";
  const insert = `insert into engine.results (engine, job_id, status, attempt, type, input_hash, reply, worker, started_at) values (${values})`;
  try {
    await client.query(`begin; ${insert}; set local role ${rights.postgres.role}`);
    const { rows } = await client.query("select distinct engine from engine.results");
    expect(rows.filter((row) => row.engine !== engine)).toEqual([]);
    await expect(client.query(insert)).rejects.toMatchObject({ code: "42501" });
  } finally {
    await client.query("rollback");
    client.release();
  }
});
