/** Who has all three users of one engine reaches nothing of another engine's, nor of who shares the vhost. */
import { randomBytes } from "node:crypto";
import { openConnection } from "@tl-engine/shared/broker/connection";
import { lanesOf } from "@tl-engine/shared/broker/lanes";
import { ask } from "@tl-engine/shared/broker/management";
import { createLog } from "@tl-engine/shared/process/log";
import { openDatabase } from "@tl-engine/shared/stores/database";
import { openRedis } from "@tl-engine/shared/stores/redis";
import {
  BURIALS,
  DELAY_TIERS,
  engineUser,
  jobKey,
  jobType,
  redisKeys,
  SCHEDULER,
} from "@tl-engine/shared/wire/names";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestFleet } from "../../../shared/testing/fleet.ts";
import { loadWorkers } from "../../workers.ts";
import { applyToBroker, urlAs } from "./apply.ts";
import { eventTypesOf } from "./statements.ts";
import { conformanceSuites } from "./testing/conformance-suites.ts";
import { printedRights } from "./testing/printed-rights.ts";
import { hasBrokerUsers, openRightsFleet, type RightsFleet } from "./testing/rights-fleet.ts";

type Channel = TestFleet["channel"];
type Attack = [what: string, attack: (channel: Channel) => unknown];

const ACCESS_REFUSED = 403;
const NOT_ITS_NAME = 406;
const log = createLog({}, "silent");
const managementUrl = String(process.env.RABBITMQ_MANAGEMENT_URL);
const workers = await loadWorkers();
const suites = await conformanceSuites(workers);
/** Every engine against every other one. */
const pairs = workers.flatMap(({ definition: { name: attacker } }) =>
  workers
    .map(({ definition: { name: victim } }) => ({ attacker, victim }))
    .filter(({ victim }) => victim !== attacker),
);
/** Of another program in the vhost, as Celery names it. */
const celery = `celery-${randomBytes(4).toString("hex")}`;

type Command = [string, ...(string | number)[]];

function commandsOn({ attacker, victim }: (typeof pairs)[number], prefix: string): Command[] {
  const own = `${redisKeys.engine(prefix, victim)}own`;
  const claim = redisKeys.claim(prefix, victim, "tl-plane", "x");
  const channel = redisKeys.cancel(prefix, victim, "tl-plane");
  const onKey = (key: string): Command[] => [
    ["SET", key, "x"],
    ["UNLINK", key],
    ["EVAL", "return 1", 1, key],
    ["EVAL", `return redis.call('SET', '${key}', 'x')`, 0],
  ];
  return [
    ...onKey(own),
    // Burials end the claims of all.
    ...(attacker === BURIALS ? [] : onKey(claim)),
    ["GET", own],
    ["PUBLISH", channel, "x"],
    ["PSUBSCRIBE", channel],
    ["SUBSCRIBE", channel],
    ["PSUBSCRIBE", "*"],
    ["SCAN", 0],
    ["KEYS", "*"],
    ["FLUSHALL"],
  ];
}

describe.runIf(hasBrokerUsers)("in a vhost that is shared", () => {
  let stage: RightsFleet;
  let fleet: TestFleet;
  beforeAll(async () => {
    stage = await openRightsFleet((prefix) => `${prefix}.replies`);
    fleet = stage.fleet;
    await fleet.channel.assertQueue(celery, { durable: true });
  });
  afterAll(async () => {
    await fleet?.channel.deleteQueue(celery);
    await stage?.close();
  });

  /** What each is refused with; undefined where it is not. */
  async function attempt(AMQP_URL: string, attacks: Attack[]) {
    const { model } = await openConnection({ ...fleet.config, AMQP_URL }, "attack");
    const codes: Record<string, unknown> = {};
    try {
      for (const [what, attack] of attacks) {
        const channel = await model.createConfirmChannel();
        const refused = new Promise<never>((_, reject) => channel.on("error", reject));
        refused.catch(() => {});
        const done = Promise.resolve(attack(channel)).then(() => channel.waitForConfirms());
        codes[what] = await Promise.race([refused, done]).then(
          () => undefined,
          ({ code }) => code,
        );
        if (codes[what] === undefined) await channel.close();
      }
      return codes;
    } finally {
      await model.close();
    }
  }

  const publish =
    (exchange: string, key: string, properties = {}) =>
    (channel: Channel) =>
      channel.publish(exchange, key, Buffer.from("{}"), properties);

  /** All that is to be refused with the same code. */
  async function expectRefused(AMQP_URL: string, attacks: Attack[], code = ACCESS_REFUSED) {
    const expected = Object.fromEntries(attacks.map(([what]) => [what, code]));
    expect(await attempt(AMQP_URL, attacks)).toEqual(expected);
  }

  const takes = (queue: string): Attack[] => [
    [`get ${queue}`, (channel) => channel.get(queue)],
    [`consume ${queue}`, (channel) => channel.consume(queue, () => {})],
    [`purge ${queue}`, (channel) => channel.purgeQueue(queue)],
    [`delete ${queue}`, (channel) => channel.deleteQueue(queue)],
  ];

  test.each(pairs)("$attacker takes, keeps and binds nothing of $victim's", async (pair) => {
    const { attacker, victim } = pair;
    const { names } = fleet;
    const { AMQP_URL } = stage.urlsOf(attacker);
    const own = names.queue(attacker);
    const theirs = [
      ...lanesOf(victim).map((lane) => names.queue(victim, lane)),
      names.dead(victim),
    ];
    const everybodys = [names.unrouted, ...DELAY_TIERS.map(({ name }) => names.delay(name))];
    await expectRefused(AMQP_URL, [
      ...[...theirs, ...everybodys, celery].flatMap(takes),
      ["declare", (channel) => channel.assertQueue(`${own}.mine`)],
      ["declare nameless", (channel) => channel.assertQueue("")],
      ["hear events", (channel) => channel.bindQueue(own, names.events, "#")],
      ["hear jobs", (channel) => channel.bindQueue(own, names.jobs, victim)],
      [
        "hear replies",
        (channel) => channel.bindQueue(names.dead(attacker), stage.replyExchange, "#"),
      ],
      ["unbind", (channel) => channel.unbindQueue(names.queue(victim), names.jobs, victim)],
      ["delete jobs", (channel) => channel.deleteExchange(names.jobs)],
      ["delete events", (channel) => channel.deleteExchange(names.events)],
      ["divert", (channel) => channel.bindExchange(names.dead(attacker), names.jobs, victim)],
    ]);
    const api = urlAs(managementUrl, engineUser(names.prefix, attacker), stage.password);
    await expect(ask(api, "GET", ["queues"])).rejects.toMatchObject({ status: 401 });
  });

  test.each(pairs)("$attacker sends nothing to $victim, nor as $victim", async (pair) => {
    const { attacker, victim } = pair;
    const { names } = fleet;
    const { AMQP_URL } = stage.urlsOf(attacker);
    const foreign = workers
      .filter(({ definition }) => definition.name !== attacker)
      .flatMap(({ definition }) => eventTypesOf(definition.actions));
    await expectRefused(AMQP_URL, [
      ["its queue", publish("", names.queue(victim))],
      ["celery", publish("", celery)],
      ["celery, by name", publish("amq.direct", celery)],
      // The scheduler brings every engine its jobs.
      ...(attacker === SCHEDULER ? [] : [["a job", publish(names.jobs, victim)] as Attack]),
      ["a job for later", publish(names.later, victim)],
      // Burials end the jobs of all.
      ...(attacker === BURIALS ? [] : [["a letter", publish(names.dead(victim), "")] as Attack]),
      ["a burial", publish(names.burials, "")],
      ["unrouted", publish(names.unrouted, "")],
      ...foreign.map((type): Attack => [`event ${type}`, publish(names.events, type)]),
    ]);
    const forged = { userId: engineUser(names.prefix, victim) };
    const as: Attack = ["as the victim", publish(stage.replyExchange, "x", forged)];
    await expectRefused(AMQP_URL, [as], NOT_ITS_NAME);
  });

  test.each(pairs)("$attacker reaches no key and no channel of $victim's", async (pair) => {
    const redis = openRedis(stage.urlsOf(pair.attacker).REDIS_URL, log, {
      enableOfflineQueue: true,
    });
    try {
      for (const [command, ...words] of commandsOn(pair, fleet.names.prefix))
        await expect(redis.call(command, ...words), `${command} ${words}`).rejects.toThrow(
          /NOPERM|ACL failure|can't (?:run|access)/,
        );
    } finally {
      redis.disconnect();
    }
  });

  test.each(pairs)("$attacker reaches no row of $victim's", async ({ attacker, victim }) => {
    const { DATABASE_URL } = stage.urlsOf(attacker);
    const pool = openDatabase({ databaseUrl: DATABASE_URL, max: 1, name: "attack" }, log);
    try {
      const insert = `insert into engine.results (engine, job_id, status, attempt, type, input_hash, reply, worker, started_at)
        select '${victim}', 'x', 'succeeded', 1, 't', 'h', '{}', 'w', now()`;
      await expect(pool.query(insert)).rejects.toMatchObject({ code: "42501" });
      const seen = await pool.query("select from engine.results where engine <> $1", [attacker]);
      // Burials end the jobs of all.
      if (attacker !== BURIALS) expect(seen.rows).toEqual([]);
      const { rows } = await pool.query(
        "select nspname from pg_namespace where starts_with(nspname, 'engine_') and has_schema_privilege(oid, 'usage')",
      );
      expect(rows.filter(({ nspname }) => nspname !== `engine_${attacker}`)).toEqual([]);
    } finally {
      await pool.end();
    }
  });

  test.each(suites)(
    "$definition.name runs no job that another engine sends over a tier",
    async (suite) => {
      const { name } = suite.definition;
      const { names } = fleet;
      const other = String(pairs.find(({ victim }) => victim === name)?.attacker);
      const worker = await fleet.start(suite.definition, stage.envOf(name));
      const id = fleet.newId();
      const { model } = await openConnection(
        { ...fleet.config, AMQP_URL: stage.urlsOf(other).AMQP_URL },
        "attack",
      );
      try {
        const channel = await model.createConfirmChannel();
        channel.publish(
          names.delay("1s"),
          jobKey(name),
          Buffer.from(JSON.stringify(suite.job.input(1, names.prefix))),
          {
            ...{ messageId: id, correlationId: id, replyTo: fleet.replyTo },
            ...{ contentType: "application/json", userId: engineUser(names.prefix, other) },
            type: jobType(name, suite.job.action, 1),
          },
        );
        await channel.waitForConfirms();
        expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "invalid_input" } });
        expect(await fleet.rows(id)).toEqual([]);
      } finally {
        await model.close();
        await worker.stop();
      }
    },
  );

  test("a publisher binds its queues to its own replies alone", async () => {
    const NAME = `plane-${randomBytes(4).toString("hex")}`;
    const { prefix } = fleet.names;
    const options = { ENGINE_PREFIX: prefix, REPLY_EXCHANGE: stage.replyExchange };
    const broker = { amqpUrl: fleet.config.AMQP_URL, managementUrl };
    const printed = await printedRights(NAME, { ...options, ROLE: "publisher" });
    await applyToBroker(printed, broker, stage.password);
    const queue = `${NAME}.replies`;
    const bind = (key: string) => (channel: Channel) =>
      channel.bindQueue(queue, stage.replyExchange, key);
    const url = urlAs(broker.amqpUrl, NAME, stage.password);
    try {
      const own = await attempt(url, [
        ["declare", (channel) => channel.assertQueue(queue)],
        ["bind", bind(queue)],
      ]);
      expect(own).toEqual({ declare: undefined, bind: undefined });
      const theirs = ["#", "*.replies", "*.#", "tl-plane.replies", `${NAME}2.replies`, "x"];
      await expectRefused(url, [
        ...theirs.map((key): Attack => [key, bind(key)]),
        // What would lead there in two steps, or out again.
        ...(["", stage.replyExchange, fleet.names.events] as const).map(
          (exchange): Attack => [
            `dead letters to ${exchange}`,
            (channel) => channel.assertQueue(`${NAME}.x`, { deadLetterExchange: exchange }),
          ],
        ),
      ]);
    } finally {
      await fleet.channel.deleteQueue(queue);
      await ask(managementUrl, "DELETE", ["users", NAME]);
    }
  });
});
