/** Each check of the broker, by AMQP and by its management API, broken in a vhost of its own. */
import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Connection, openConnection } from "@tl-engine/shared/broker/connection";
import { ask } from "@tl-engine/shared/broker/management";
import { declareTopology, topologyOf } from "@tl-engine/shared/broker/topology";
import { brokerNames, engineUser } from "@tl-engine/shared/wire/names";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  hasOwnBroker,
  type OwnBroker,
  startOwnBroker,
} from "../../../../shared/testing/own-broker.ts";
import { proxyBefore } from "../../../../shared/testing/proxy.ts";
import { urlAs } from "../../../kubernetes/rights/apply.ts";
import { eventTypesOf, rightsOf, toolsRights } from "../../../kubernetes/rights/statements.ts";
import { makeBrokerUser } from "../../../kubernetes/rights/testing/users.ts";
import { loadWorkers } from "../../../workers.ts";
import { broker } from "../broker/part.ts";
import { examine, told } from "../testing/findings.ts";
import { management } from "./part.ts";

const PASSWORD = "hunter2-and-more";
const managementUrl = String(process.env.RABBITMQ_MANAGEMENT_URL);
const definitions = (await loadWorkers()).map(({ definition }) => definition);

const vhostUrl = (vhost: string) =>
  Object.assign(new URL(String(process.env.AMQP_URL)), {
    pathname: `/${encodeURIComponent(vhost)}`,
  }).href;

const connectTo = (amqpUrl: string) =>
  openConnection(
    { AMQP_URL: amqpUrl, AMQP_HEARTBEAT_S: 30, BROKER_PROFILE: "auto" },
    "doctor test",
  );

async function declareFleet({ model, profile }: Connection): Promise<void> {
  await declareTopology(model, topologyOf(definitions, brokerNames("engine"), profile));
}

describe.runIf(process.env.RABBITMQ_MANAGEMENT_URL)("in a vhost of its own", () => {
  const suffix = randomBytes(4).toString("hex");
  const vhost = `/doctor-${suffix}`;
  const url = vhostUrl(vhost);
  const prefix = "engine";
  let connection: Connection;
  const users: string[] = [];

  beforeAll(async () => {
    await ask(managementUrl, "PUT", ["vhosts", vhost], {});
    connection = await connectTo(url);
    await declareFleet(connection);
  });
  afterAll(async () => {
    await connection?.model.close();
    await ask(managementUrl, "DELETE", ["vhosts", vhost]);
    for (const user of users) await ask(managementUrl, "DELETE", ["users", user]);
  });

  const given = (env = {}) => ({ env: { AMQP_URL: url, ENGINE_PREFIX: prefix, ...env } });
  const byApi = async (check: string, env = {}) =>
    told(await examine(management, given(env)), `management.${check}`);
  const byAmqp = async (check: string, env = {}) =>
    told(await examine(broker, given(env)), `broker.${check}`);
  const put = (path: string[], body: unknown) => ask(managementUrl, "PUT", path, body);
  const drop = (...path: string[]) => ask(managementUrl, "DELETE", path);

  test("what was declared is good: nothing fails", async () => {
    const results = [...(await examine(broker, given())), ...(await examine(management, given()))];
    expect(results.filter(({ level }) => level === "failure")).toEqual([]);
    expect(told(results, "broker.reach")).toMatch(/^ok: (?:RabbitMQ|LavinMQ) [\d.]+, [\d.]+ ms$/);
    expect(told(results, "management.reach")).toMatch(/^ok: (?:RabbitMQ|LavinMQ) [\d.]+, /);
    expect(told(results, "broker.vhost")).toBe(`ok: vhost ${vhost}`);
    expect(told(results, "broker.topology")).toMatch(/^ok: \d+ engines, replies by the default/);
    for (const check of ["arguments", "policies", "orphans", "leaders", "consumers", "filling"])
      expect(told(results, `management.${check}`)).toMatch(/^ok: /);
    expect(told(results, "management.clock")).toMatch(/^ok: /);
  });

  describe("the vhost", () => {
    test("that is not encoded", async () => {
      const raw = url.replace("%2F", "/");
      expect(await byAmqp("vhost", { AMQP_URL: raw })).toMatch(
        /^warning: vhost \/doctor-\w+, not encoded; .*; write it as %2Fdoctor-\w+ in AMQP_URL$/,
      );
    });

    test("that is empty: missing is told once", async () => {
      const env = { ENGINE_PREFIX: `none${suffix}` };
      expect(await byApi("arguments", env)).toMatch(/^failure: \d+ queues are missing; /);
      expect(await byApi("policies", env)).toMatch(/^skipped: the fleet has no queues yet/);
    });

    test("that is not there", async () => {
      const AMQP_URL = vhostUrl(`doctor-${suffix}`);
      expect(await byAmqp("reach", { AMQP_URL })).toMatch(
        /^failure: not reached; .*is written %2Fengine.*list_vhosts/,
      );
      expect(await byAmqp("topology", { AMQP_URL })).toBe(
        "skipped: not looked at: see broker.reach",
      );
      expect(await byApi("reach", { AMQP_URL })).toMatch(
        /^failure: no vhost doctor-\w+; .*%2Fengine.*; curl /,
      );
    });
  });

  describe("queues", () => {
    const queue = "engine.activities";

    test("one that is missing, and one with other arguments", async () => {
      await drop("queues", vhost, queue);
      expect(await byAmqp("topology")).toMatch(
        /^failure: 1 engines lack something; the queue engine\.activities is missing.*; make topology$/,
      );
      expect(await byApi("arguments")).toMatch(
        /^failure: 1 queues are missing; not there: engine\.activities; make topology$/,
      );
      await put(["queues", vhost, queue], {
        durable: true,
        arguments: { "x-consumer-timeout": 5_000 },
      });
      expect(await byApi("arguments")).toMatch(
        /^failure: 1 queues have other arguments; .*engine\.activities \(.*x-dead-letter-exchange.*\); stop the workers/,
      );
      expect(await byApi("consumer-timeout")).toMatch(
        /^failure: too short for 1 queues; engine\.activities is cut off after 5 s and may need \d+ s/,
      );
      await drop("queues", vhost, queue);
      await declareFleet(connection);
    });

    test("a policy that overrides them", async () => {
      await put(["policies", vhost, "bad"], {
        pattern: `^${queue}$`,
        definition: { "message-ttl": 5_000 },
        "apply-to": "queues",
      });
      await expect
        .poll(() => byApi("policies"), { timeout: 20_000 })
        .toMatch(
          /^failure: a policy overrides 1 queues; bad sets message-ttl on engine\.activities: .*; rabbitmqctl list_policies/,
        );
      await drop("policies", vhost, "bad");
    });

    test("jobs that nobody reads", async () => {
      const channel = await connection.model.createConfirmChannel();
      channel.publish("", queue, Buffer.from("{}"), { persistent: true });
      await channel.waitForConfirms();
      await expect
        .poll(() => byApi("consumers"), { timeout: 20_000 })
        .toMatch(/^warning: 1 queues wait for a reader; engine\.activities \(1\): /);
      await channel.purgeQueue(queue);
      await channel.close();
    });

    test("what is gone, and is still filled", async () => {
      const channel = await connection.model.createChannel();
      await channel.assertQueue("engine.gone", { durable: true });
      await channel.bindQueue("engine.gone", "engine.jobs", "gone");
      expect(await byApi("orphans")).toMatch(
        /^warning: 2 left over; .*the queue engine\.gone, engine\.gone bound to engine\.jobs \(gone\).*make topology PRUNE=1/,
      );
      await channel.deleteQueue("engine.gone");
      await channel.close();
    });
  });

  describe("replies", () => {
    test("the exchange is not there, is of another type, is there", async () => {
      const env = { REPLY_EXCHANGE: "engine.replies" };
      expect(await byApi("replies", env)).toMatch(
        /^failure: no exchange engine\.replies; .*make topology$/,
      );
      expect(await byAmqp("topology", env)).toMatch(/the exchange engine\.replies is missing/);
      const channel = await connection.model.createChannel();
      await channel.assertExchange("engine.replies", "fanout");
      expect(await byApi("replies", env)).toMatch(/^failure: engine\.replies is of type fanout; /);
      await channel.deleteExchange("engine.replies");
      await channel.assertExchange("engine.replies", "topic");
      expect(await byApi("replies", env)).toBe("ok: by engine.replies");
      // A caller is set for it, and the workers are not.
      expect(await byApi("replies")).toBe("ok: by the default exchange");
      await channel.assertQueue("caller.replies", { durable: true });
      await channel.bindQueue("caller.replies", "engine.replies", "caller.replies");
      expect(await byApi("replies")).toMatch(
        /^warning: by the default exchange, and 1 queues listen on engine\.replies; /,
      );
      await channel.deleteQueue("caller.replies");
      await channel.deleteExchange("engine.replies");
      await channel.close();
    });
  });

  test("fewer connections than the workers open", async () => {
    await put(["vhost-limits", vhost, "max-connections"], { value: 9 });
    expect(await byApi("connections")).toMatch(
      /^failure: 9 allowed, \d+ at most; the vhost .* lets 9 connections in, .*set_vhost_limits/,
    );
    await drop("vhost-limits", vhost, "max-connections");
    expect(await byApi("connections")).toMatch(/^ok: no limit seen, \d+ at most/);
  });

  describe("rights", () => {
    const mine = `d${suffix}`;
    const names = brokerNames(mine);
    const activities = definitions.find(({ name }) => name === "activities");
    const wanted = rightsOf({
      ...{ engine: "activities", prefix: mine, replyExchange: "", schema: undefined },
      emits: eventTypesOf(activities?.actions ?? {}),
      handlersUseRedis: false,
    }).broker;

    beforeAll(async () => {
      await declareTopology(connection.model, topologyOf(definitions, names, connection.profile));
      users.push(wanted.user, "tl-engine-doctor");
    });

    const rightsWith = async (change: Partial<typeof wanted>) => {
      await makeBrokerUser(managementUrl, url, { ...wanted, ...change }, PASSWORD);
      const env = { AMQP_URL: urlAs(url, wanted.user, PASSWORD), ENGINE_PREFIX: mine };
      return byApi("rights", env);
    };

    test("a user whom make rights does not make", async () => {
      expect(await byApi("rights")).toMatch(
        /^warning: .* is no user that make rights makes; .*; make rights NAME=/,
      );
    });

    test("on topics none are set", async () => {
      const found = await rightsWith({ topics: [] });
      if (connection.profile.product === "RabbitMQ")
        expect(found).toMatch(/^warning: .* may too much; it may announce events of every type/);
    });

    test("just enough, too little, too much", async () => {
      expect(wanted.user).toBe(engineUser(mine, "activities"));
      expect(await rightsWith({})).toBe(`ok: ${wanted.user} may what it needs`);
      expect(await rightsWith({ read: "^$" })).toMatch(
        /^failure: .* may too little; it may not read d\w+\.activities, .*; make rights NAME=activities$/,
      );
      expect(await rightsWith({ configure: ".*" })).toMatch(
        /^warning: .* may too much; it may configure .*, which it does not need; /,
      );
    });

    test("the user of the tools, and one who may not see rights", async () => {
      const tools = toolsRights(mine, "tl-engine-doctor");
      await makeBrokerUser(managementUrl, url, tools, PASSWORD);
      const env = {
        AMQP_URL: urlAs(url, tools.user, PASSWORD),
        ENGINE_PREFIX: mine,
        TOOLS_USER: tools.user,
      };
      expect(await byApi("rights", env)).toBe(`ok: ${tools.user} may what it needs`);
      await put(["users", tools.user], { password: PASSWORD, tags: "monitoring" });
      const RABBITMQ_MANAGEMENT_URL = urlAs(managementUrl, tools.user, PASSWORD).replace(/\/$/, "");
      expect(await byApi("rights", { ...env, RABBITMQ_MANAGEMENT_URL })).toMatch(
        /^skipped: .*administrator/,
      );
    });
  });

  describe("the way there", () => {
    test("a wrong password is not said back", async () => {
      const wrong = {
        AMQP_URL: urlAs(url, "nobody", PASSWORD),
        RABBITMQ_MANAGEMENT_URL: urlAs(managementUrl, "nobody", PASSWORD).replace(/\/$/, ""),
      };
      const [amqp, api] = [await byAmqp("reach", wrong), await byApi("reach", wrong)];
      expect(amqp).toMatch(/^failure: not reached; .*refuses the user 'nobody' or its password/);
      expect(api).toMatch(/^failure: not reached; the management API refuses the user/);
      expect(amqp + api).not.toContain(PASSWORD);
    });

    test("no management API is said", async () => {
      expect(await byApi("reach", { RABBITMQ_MANAGEMENT_URL: "" })).toMatch(
        /^skipped: RABBITMQ_MANAGEMENT_URL is not set/,
      );
      expect(await byApi("reach", { RABBITMQ_MANAGEMENT_URL: "http://127.0.0.1:1" })).toMatch(
        /^failure: not reached; .*15672.*ECONNREFUSED/,
      );
    });

    test("a broker that hangs is told, and not waited for", async () => {
      const proxy = await proxyBefore(url);
      try {
        proxy.apply({ kind: "blackHole" });
        const startedAt = performance.now();
        const results = await examine(broker, { ...given({ AMQP_URL: proxy.url }), limitMs: 700 });
        expect(performance.now() - startedAt).toBeLessThan(4_000);
        expect(told(results, "broker.reach")).toMatch(/^failure: no answer within 700 ms; /);
      } finally {
        await proxy.close();
      }
    });

    test("a clock that goes wrong", async () => {
      const wrong = { ...given(), now: () => Date.now() - 60_000 };
      expect(told(await examine(management, wrong), "management.clock")).toMatch(
        /^failure: (?:60|59|58)\.\d s ahead of ours; /,
      );
    });
  });
});

describe.runIf(hasOwnBroker)("a broker of its own", () => {
  let own: OwnBroker;
  beforeAll(async () => {
    own = await startOwnBroker("");
    const connection = await connectTo(own.amqpUrl);
    await declareFleet(connection);
    await connection.model.close();
  });
  afterAll(() => own?.stop());

  test("a queue without a leader", async () => {
    const found = async () =>
      told(
        await examine(management, {
          env: {
            AMQP_URL: own.amqpUrl,
            RABBITMQ_MANAGEMENT_URL: own.managementUrl,
            ENGINE_PREFIX: "engine",
          },
        }),
        "management.leaders",
      );
    expect(await found()).toBe("ok: all queues are open");
    await own.rabbitmqctl(
      "eval",
      `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/engine">>, queue, <<"engine.activities">>)), ra:stop_server(quorum_queues, amqqueue:get_pid(Q)).`,
    );
    await expect
      .poll(found, { timeout: 30_000, interval: 500 })
      .toMatch(
        /^failure: 1 queues give nothing; engine\.activities is (?:down|without a leader): .*; restart the broker/,
      );
  });
});

test("a queue that is half full is told", async () => {
  // What fills 128 MiB of a real one takes minutes.
  const server: Server = createServer((request, response) => {
    const isQueues = request.url?.startsWith("/api/queues");
    const isVhosts = request.url?.startsWith("/api/vhosts");
    const queue = {
      name: "engine.activities.dead",
      message_bytes: 200 * 2 ** 20,
      arguments: { "x-max-length-bytes": 256 * 2 ** 20 },
    };
    response.end(JSON.stringify(isQueues ? [queue] : isVhosts ? [{ name: "/engine" }] : {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const env = {
      AMQP_URL: "amqp://127.0.0.1/%2Fengine",
      ENGINE_PREFIX: "engine",
      RABBITMQ_MANAGEMENT_URL: `http://127.0.0.1:${port}`,
    };
    expect(told(await examine(management, { env }), "management.filling")).toMatch(
      /^warning: 1 queues fill up; engine\.activities\.dead holds \d+ of \d+ bytes: .*; make dead-letters$/,
    );
  } finally {
    server.close();
  }
});
