/** The command that declares: with the rights of `make rights NAME=tools` on a fresh vhost, and what it says where it fails. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type BrokerProfile, openConnection } from "@tl-engine/shared/broker/connection";
import { ask } from "@tl-engine/shared/broker/management";
import { closedQueues } from "@tl-engine/shared/broker/queue-states";
import { declareTopology, topologyOf } from "@tl-engine/shared/broker/topology";
import { brokerNames } from "@tl-engine/shared/wire/names";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toolsRights } from "../kubernetes/rights/statements.ts";

const managementUrl = String(process.env.RABBITMQ_MANAGEMENT_URL);
const TOPOLOGY = fileURLToPath(new URL("./topology.ts", import.meta.url));
const RIGHTS = fileURLToPath(new URL("../kubernetes/rights.ts", import.meta.url));
const vhost = `/fresh-${randomBytes(4).toString("hex")}`;
const user = `tools-${randomBytes(4).toString("hex")}`;

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}
const run = (script: string, env: Record<string, string>): Promise<Ran> =>
  promisify(execFile)(process.execPath, [script], { env: { ...process.env, ...env } }).then(
    (said) => ({ code: 0, ...said }),
    (error) => error as Ran,
  );

describe.runIf(process.env.RABBITMQ_MANAGEMENT_URL)("a user of its own on a fresh vhost", () => {
  let url: string;
  const allow = (configure: string, write: string, read: string) =>
    ask(managementUrl, "PUT", ["permissions", vhost, user], { configure, write, read });

  beforeAll(async () => {
    await ask(managementUrl, "PUT", ["vhosts", vhost], {});
    await ask(managementUrl, "PUT", ["users", user], { password: "€", tags: "" });
    const { host } = new URL(String(process.env.AMQP_URL));
    url = `amqp://${user}:${encodeURIComponent("€")}@${host}/${encodeURIComponent(vhost)}`;
  });
  afterAll(async () => {
    await ask(managementUrl, "DELETE", ["vhosts", vhost]);
    await ask(managementUrl, "DELETE", ["users", user]);
  });

  test("without the right to a dead-letter exchange: says what is missing, in one line", async () => {
    await allow("^engine\\..*$", "^engine\\.(jobs|unrouted)$", "^engine\\..*$");
    const { code, stdout, stderr } = await run(TOPOLOGY, { AMQP_URL: url });
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(
      /^topology: .*declare the queue engine\.unrouted.*make rights NAME=tools.*\n$/,
    );
  });

  test("the rights that are printed declare everything", async () => {
    const printed = await run(RIGHTS, { NAME: "tools", ENGINE_PREFIX: "engine" });
    const { configure, write, read } = toolsRights("engine", "tl-engine-tools");
    expect(printed.stdout).toContain("rabbitmqctl add_user tl-engine-tools\n");
    const others = await run(RIGHTS, { NAME: "tools", TOOLS_USER: "ops", ENGINE_PREFIX: "engine" });
    expect(others.stdout).toContain("rabbitmqctl add_user ops\n");
    expect(others.stdout).toMatch(/set_permissions -p \/engine ops /);
    expect(others.stdout).toMatch(/^rights: user=ops$/m);
    expect(others.stdout).not.toContain("tl-engine-tools");
    expect(printed.stdout).toContain(`'${configure}' '${write}' '${read}'`);
    expect("engine.jobs").toMatch(new RegExp(write));
    // In LavinMQ the default exchange has the empty name.
    for (const name of ["", "amq.default", "other.jobs"])
      expect(name).not.toMatch(new RegExp(write));
    await allow(configure, write, read);
    const { code, stdout, stderr } = await run(TOPOLOGY, {
      AMQP_URL: url,
      ENGINE_PREFIX: "engine",
    });
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^topology: broker=\w+ exchanges=\d+ .*replies=default-exchange$/m);
    const shared = { AMQP_URL: url, ENGINE_PREFIX: "engine", REPLY_EXCHANGE: "engine.replies" };
    expect((await run(TOPOLOGY, shared)).stdout).toMatch(/ replies=engine\.replies$/m);
  });

  describe("engines and subscriptions that are gone", () => {
    const gone = topologyOf(
      [
        { name: "analytics", on: { "nothing.happened": {} as never } },
        { name: "gone", on: { "activity.recorded": {} as never } },
      ],
      brokerNames("engine"),
      { product: "RabbitMQ", quorum: true } as BrokerProfile,
    );
    const env = () => ({ AMQP_URL: url, ENGINE_PREFIX: "engine" });
    const ownerUrl = () =>
      Object.assign(new URL(String(process.env.AMQP_URL)), {
        pathname: `/${encodeURIComponent(vhost)}`,
      }).href;
    const queueOf = (name: string) => ask(managementUrl, "GET", ["queues", vhost, name]);

    beforeAll(async () => {
      const { model } = await openConnection(
        { AMQP_URL: ownerUrl(), AMQP_HEARTBEAT_S: 30, BROKER_PROFILE: "auto" },
        "gone",
      );
      await declareTopology(model, gone);
      const channel = await model.createConfirmChannel();
      // A caller's queue hears the fleet's events: that is his.
      await channel.assertQueue("app.events", { durable: true });
      await channel.bindQueue("app.events", "engine.events", "nothing.happened");
      channel.publish("engine.jobs", "gone", Buffer.from("{}"), { persistent: true });
      await channel.waitForConfirms();
      await model.close();
    });

    test("are unbound and told; nothing is deleted unasked", async () => {
      const { code, stdout, stderr } = await run(TOPOLOGY, env());
      expect(code).toBe(0);
      const unbound = stdout.split("\n").flatMap((text) => /unbound (.*):/.exec(text)?.[1] ?? []);
      expect(unbound.toSorted()).toEqual([
        "engine.analytics from engine.events (nothing.happened)",
        "engine.gone from engine.events (activity.recorded)",
        "engine.gone from engine.jobs (gone)",
        "engine.gone.bulk from engine.jobs (gone.bulk)",
        "engine.gone.dead from engine.gone.dead ()",
      ]);
      for (const name of ["engine.gone", "engine.gone.bulk", "engine.gone.dead"])
        expect(stderr).toContain(`the queue ${name} is no engine's any more`);
      const bound = (await ask(managementUrl, "GET", ["bindings", vhost])) as {
        destination: string;
      }[];
      expect(bound.filter(({ destination }) => destination.includes("gone"))).toHaveLength(3); // the default exchange's
      expect(bound.filter(({ destination }) => destination === "app.events")).toHaveLength(2);
      expect((await run(TOPOLOGY, env())).stdout).not.toContain("unbound");
    });

    test("PRUNE=1 deletes what is empty, and refuses what holds messages", async () => {
      const { code, stdout, stderr } = await run(TOPOLOGY, { ...env(), PRUNE: "1" });
      expect(stdout).toContain("topology: deleted engine.gone.bulk");
      expect(stdout).toContain("topology: deleted engine.gone.dead");
      expect(stderr).toContain(
        "the queue engine.gone was not deleted: it holds 1 messages and has 0 consumers",
      );
      expect(code).toBe(1);
      await expect(queueOf("engine.gone.bulk")).rejects.toThrow(/404/);
      await ask(managementUrl, "DELETE", ["queues", vhost, "engine.gone", "contents"]);
      expect(await run(TOPOLOGY, { ...env(), PRUNE: "1" })).toMatchObject({ code: 0, stderr: "" });
      await expect(queueOf("engine.gone")).rejects.toThrow(/404/);
    });

    test("a user who may not unbind: says what is missing, in one line", async () => {
      const owner = await openConnection(
        { AMQP_URL: ownerUrl(), AMQP_HEARTBEAT_S: 30, BROKER_PROFILE: "auto" },
        "left",
      );
      const channel = await owner.model.createChannel();
      await channel.assertQueue("engine.left", { durable: true });
      await channel.bindQueue("engine.left", "engine.jobs", "left");
      await owner.model.close();
      const { configure, write, read } = toolsRights("engine", "tl-engine-tools");
      // All but this queue: of what is declared nothing is missing.
      await allow(configure, write.replace("^", "^(?!engine\\.left)"), read);
      const { code, stderr } = await run(TOPOLOGY, env());
      await allow(configure, write, read);
      expect(stderr).toMatch(
        /^topology: the broker refuses to unbind engine\.left from engine\.jobs .*make rights NAME=tools.*\n$/,
      );
      expect(code).toBe(2);
      expect(await run(TOPOLOGY, { ...env(), PRUNE: "1" })).toMatchObject({ code: 0 });
    });

    test("without the management API: said where it was asked for", async () => {
      const { code, stderr } = await run(TOPOLOGY, {
        ...env(),
        RABBITMQ_MANAGEMENT_URL: "",
        PRUNE: "1",
      });
      expect([code, stderr]).toEqual([
        2,
        "topology: PRUNE=1 needs RABBITMQ_MANAGEMENT_URL: AMQP lists no queues\n",
      ]);
    });
  });

  test("a broker that can't be reached: one line and status 1", async () => {
    const { code, stderr } = await run(TOPOLOGY, { AMQP_URL: "amqp://u:hunter2@127.0.0.1:1/v" });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^topology: the broker at 127\.0\.0\.1:1 \(AMQP_URL\) .*\n$/);
    expect(stderr).not.toContain("hunter2");
  });
});

test("a queue that LavinMQ closed is told, with what reopens it", async () => {
  const server = createServer((_, response) =>
    response.end(
      JSON.stringify([
        { name: "engine.open", state: "running" },
        { name: "engine.torn", state: "closed" },
        { name: "other.torn", state: "closed" },
      ]),
    ),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const queues = ["engine.open", "engine.torn"];
    expect(
      await closedQueues(`http://u:p@127.0.0.1:${port}`, "amqp://h/%2Fengine", queues),
    ).toEqual([
      {
        name: "engine.torn",
        state: "closed",
        repair: expect.stringContaining("/api/queues/%2Fengine/engine.torn/restart"),
      },
    ]);
  } finally {
    server.close();
  }
});
