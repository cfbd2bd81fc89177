/** A publisher whose users have the rights of `make rights ROLE=publisher`, and no others, does its whole work. */
import { randomBytes } from "node:crypto";
import { openConnection } from "@tl-engine/shared/broker/connection";
import { ask } from "@tl-engine/shared/broker/management";
import { type ConnectOptions, connect, contractOf } from "@tl-engine/shared/client/index";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../../../shared/engine/define-worker.ts";
import { openTestFleet, type TestFleet } from "../../../shared/testing/fleet.ts";
import { hasPython, runPython } from "../../author/python-module/python.ts";
import { urlAs } from "./apply.ts";
import { isPublisherName, publisherRights } from "./publisher.ts";
import { makeBrokerUser, redisAcl } from "./testing/users.ts";

const nonce = randomBytes(4).toString("hex");
const engine = `p${nonce}`;
const NAME = `plane-${nonce}`;
const password = randomBytes(12).toString("hex");
const managementUrl = process.env.RABBITMQ_MANAGEMENT_URL;

const definition = defineWorker({
  name: engine,
  concurrency: 4,
  timeoutMs: 5_000,
  actions: {
    run: action({
      version: 1,
      input: z.object({ failures: z.int().default(0) }),
      output: z.object({ done: z.boolean() }),
      emits: { "published.done": z.object({}) },
      handle({ failures }, job) {
        if (job.attempt <= failures) throw new Error("as told");
        job.emit("published.done", {});
        return { done: true };
      },
    }),
  },
});
const contract = contractOf(definition);

let fleet: TestFleet;
let rights: ReturnType<typeof publisherRights>;

const as = (url: string, user: string) => urlAs(url, user, password);

const open = (options: Partial<ConnectOptions> = {}) =>
  connect({
    amqpUrl: as(fleet.config.AMQP_URL, rights.broker.user),
    databaseUrl: as(fleet.config.DATABASE_URL, rights.postgres.role),
    redisUrl: as(fleet.config.REDIS_URL, rights.redis.user),
    prefix: fleet.config.ENGINE_PREFIX,
    appId: NAME,
    contract,
    ...options,
  });

beforeAll(async () => {
  fleet = await openTestFleet([definition]);
  rights = publisherRights({
    ...{ name: NAME, prefix: fleet.config.ENGINE_PREFIX },
    ...{ engines: [engine], replyExchange: "" },
  });
  const { broker, postgres, redis } = rights;
  await fleet.pool.query(`create role "${postgres.role}" login password '${password}'`);
  for (const statement of postgres.statements) await fleet.pool.query(statement);
  await redisAcl(fleet.config.REDIS_URL, "SETUSER", redis.user, ...redis.rules, `>${password}`);
  if (managementUrl === undefined) return;
  await makeBrokerUser(managementUrl, fleet.config.AMQP_URL, broker, password);
  await fleet.start(definition, { PUBLISHER_REQUIRED: "1" });
});

afterAll(async () => {
  if (!rights) return fleet?.close();
  const { broker, postgres, redis } = rights;
  await fleet.pool.query(`drop owned by "${postgres.role}"; drop role "${postgres.role}"`);
  await redisAcl(fleet.config.REDIS_URL, "DELUSER", redis.user);
  if (managementUrl !== undefined) await ask(managementUrl, "DELETE", ["users", broker.user]);
  await fleet.close();
});

test("no name reaches another's queues or rows", () => {
  for (const name of ["a.b", "", "-a", "a b", "engine", "tl-engine-tools", "a".repeat(51)])
    expect(isPublisherName(name, "engine", "tl-engine-tools"), name).toBe(false);
  expect(isPublisherName("tl-plane", "engine", "tl-engine-tools")).toBe(true);
  expect(isPublisherName("ops", "engine", "ops")).toBe(false);
  const roles = ["a-b", "a_b", "A_b"].map(
    (name) =>
      publisherRights({ name, prefix: "engine", engines: [engine], replyExchange: "" }).postgres
        .role,
  );
  expect(new Set(roles).size).toBe(3);
});

const withUsers = test.skipIf(managementUrl === undefined);

withUsers("call, events, result, status, cancel and resendUnanswered work with them", async () => {
  await using client = await open({ replyQueue: `${NAME}.replies` });
  const seen: string[] = [];
  const take = ({ type }: { type: string }) => void seen.push(type);
  await client.events("published.*", take);
  await client.events("published.*", take, { queue: `${NAME}.events` });
  expect(await client.call(engine, "run", {}, { id: `${NAME}-1` })).toEqual({ done: true });
  await fleet.until("the event, twice", () => seen.length === 2 || undefined);
  expect(await client.result(`${NAME}-1`, engine)).toMatchObject({ output: { done: true } });
  expect(await client.status(`${NAME}-1`, engine)).toMatchObject({ state: "succeeded" });
  const { id: failing } = await client.send(engine, "run", { failures: 1 });
  const waiting = await fleet.until("the wait for its next run", async () => {
    const now = await client.status(failing, engine);
    return now.state === "waiting" ? now : undefined;
  });
  expect(waiting).toMatchObject({ attempt: 2, lastError: { message: "as told", attempt: 1 } });
  expect(await client.cancel(`${NAME}-1`, engine)).toEqual({ requested: false });
  const jobs = ["1", "2"].map((n) => ({ engine, action: "run", input: {}, id: `${NAME}-${n}` }));
  expect(await client.resendUnanswered(jobs)).toEqual([`${NAME}-2`]);
  await fleet.until("its result", () => client.result(`${NAME}-2`, engine));
  await fleet.channel.deleteQueue(`${NAME}.replies`);
  await fleet.channel.deleteQueue(`${NAME}.events`);
});

test.skipIf(managementUrl === undefined || !hasPython)("so does the Python module", async () => {
  const [output, result, state, cancelled, events, replied] = await runPython(
    `
engine = client(reply_queue="${NAME}.replies.python")
stop, seen = threading.Event(), []
def take(event):
    seen.append(event.type)
    stop.set()
listening = threading.Thread(target=engine.events, args=("published.*", take), kwargs={"stop": stop})
listening.start()
until = time.monotonic() + 30
while not stop.is_set() and time.monotonic() < until:
    engine.call("${engine}", "run", {})
stop.set()
listening.join()
show(engine.call("${engine}", "run", {}, id="${NAME}-python"))
show(engine.result("${NAME}-python", "${engine}"))
show(engine.status("${NAME}-python", "${engine}").state)
show(engine.cancel("${NAME}-python", "${engine}"))
show(seen)
stop.clear()
reading = threading.Thread(target=engine.replies, args=(lambda reply: stop.set(),), kwargs={"stop": stop})
reading.start()
for _ in range(300):
    if not stop.is_set():
        engine.publish("${engine}", "run", {})
        time.sleep(0.1)
show(stop.is_set())
engine.close()
sys.stdout.flush()
os._exit(0)
`,
    {
      amqp_url: as(fleet.config.AMQP_URL, rights.broker.user),
      database_url: as(fleet.config.DATABASE_URL, rights.postgres.role),
      redis_url: as(fleet.config.REDIS_URL, rights.redis.user),
      prefix: fleet.config.ENGINE_PREFIX,
      app_id: NAME,
      engines: { [engine]: { run: { version: 1, max_input_bytes: 1_000 } } },
    },
  );
  expect(output).toEqual({ done: true });
  expect(result).toMatchObject({ status: "succeeded", output: { done: true } });
  expect([state, cancelled, events]).toEqual(["succeeded", false, ["published.done"]]);
  expect(replied).toBe(true);
  await fleet.channel.deleteQueue(`${NAME}.replies.python`);
});

withUsers("another's rows are not shown, and cannot be changed", async () => {
  await using client = await open();
  const id = await fleet.publish(engine, "run", {});
  await fleet.reply(id);
  expect(await client.result(id, engine)).toBeUndefined();
  expect(await client.status(id, engine)).toMatchObject({ state: "unknown" });
  const connection = await fleet.pool.connect();
  try {
    await connection.query(`set role "${rights.postgres.role}"`);
    for (const refused of ["select * from", "delete from", "truncate"])
      await expect(connection.query(`${refused} engine.results`)).rejects.toThrow("permission");
  } finally {
    await connection.query("reset role");
    connection.release();
  }
});

withUsers("the broker gives it no queue but its own, and no user_id but its own", async () => {
  const { config, names } = fleet;
  const AMQP_URL = as(config.AMQP_URL, NAME);
  const { model } = await openConnection({ ...config, AMQP_URL }, "rights");
  type Channel = TestFleet["channel"];
  const send = (to: string, userId: string) => async (channel: Channel) => {
    const closed = new Promise((_, reject) => channel.on("error", reject));
    channel.publish(to, engine, Buffer.from("{}"), { userId });
    await Promise.race([closed, channel.waitForConfirms()]);
  };
  try {
    for (const [refused, code] of [
      [(channel: Channel) => channel.get(names.queue(engine)), 403],
      [(channel: Channel) => channel.get(names.dead(engine)), 403],
      [(channel: Channel) => channel.assertQueue("theirs.replies"), 403],
      [send("", NAME), 403],
      [send(names.events, NAME), 403],
      [send(names.burials, NAME), 403],
      [send(names.jobs, "guest"), 406],
    ] as const) {
      const channel = await model.createConfirmChannel();
      channel.on("error", () => {});
      await expect(refused(channel)).rejects.toMatchObject({ code });
    }
  } finally {
    await model.close();
  }
});

withUsers("without a user_id it is told what to do, and leaves no row", async () => {
  await using client = await open({ publisher: false });
  const id = `${NAME}-anonymous`;
  await expect(client.call(engine, "run", {}, { id })).rejects.toMatchObject({
    code: "invalid_input",
    message: expect.stringContaining("user_id"),
  });
  expect(await fleet.rows(id)).toEqual([]);
});

withUsers("a role that is shown nothing makes them reject", async () => {
  const role = `reader_${nonce}`;
  await fleet.pool.query(
    `create role ${role} login password '${password}'; grant usage on schema engine to ${role}; grant select on engine.results to ${role}`,
  );
  try {
    await using client = await open({ databaseUrl: as(fleet.config.DATABASE_URL, role) });
    const hidden = { name: "ResultsHidden", message: expect.stringContaining("ROLE=publisher") };
    const job = { engine, action: "run", input: {}, id: "x" };
    await expect(client.result("x", engine)).rejects.toMatchObject(hidden);
    await expect(client.status("x", engine)).rejects.toMatchObject(hidden);
    await expect(client.resendUnanswered([job])).rejects.toMatchObject(hidden);
  } finally {
    await fleet.pool.query(`drop owned by ${role}; drop role ${role}`);
  }
});
