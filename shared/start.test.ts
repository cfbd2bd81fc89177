/** What is refused at start, and with which advice. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { vhostOf } from "./broker/address.ts";
import { ask } from "./broker/management.ts";
import { findBinary } from "./services/binaries.ts";
import { provideServices } from "./services/index.ts";
import { openTestFleet, type TestFleet } from "./testing/fleet.ts";
import { probe } from "./testing/probe-engine.ts";

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
});
afterAll(() => fleet?.close());

test("an exchange that is missing, of dead letters or of replies", async () => {
  const { names } = fleet;
  const REPLY_EXCHANGE = `${names.prefix}.replies`;
  await expect(fleet.start(probe, { REPLY_EXCHANGE })).rejects.toMatchObject({
    name: "MissingTopology",
    message: expect.stringMatching(/exchange \S+\.replies is missing.*make topology/),
  });
  await fleet.channel.deleteExchange(names.dead("probe"));
  await expect(fleet.start(probe)).rejects.toMatchObject({
    name: "MissingTopology",
    message: expect.stringMatching(/exchange \S+\.probe\.dead is missing.*make topology/),
  });
  await fleet.channel.assertExchange(names.dead("probe"), "fanout");
  await fleet.channel.bindQueue(names.dead("probe"), names.dead("probe"), "");
});

test("a queue that is missing", async () => {
  await expect(fleet.start({ ...probe, name: "absent" })).rejects.toMatchObject({
    name: "MissingTopology",
    message: expect.stringMatching(/queue \S+\.absent is missing.*make topology/),
  });
});

test("a migration that did not run", async () => {
  const parent = await mkdtemp(join(tmpdir(), "tl-"));
  onTestFinished(() => rm(parent, { recursive: true }));
  const owning = join(parent, "owning");
  await mkdir(join(owning, "migrations"), { recursive: true });
  await writeFile(join(owning, "migrations", "001_never.sql"), "select 1");
  await expect(fleet.start(probe, {}, { folder: owning })).rejects.toMatchObject({
    name: "WrongSchema",
    message: expect.stringMatching(/engine_owning\/001_never\.sql.*make migrate/),
  });
});

/** Its own: the others' must not change while they work with it. */
test.skipIf(findBinary("redis-server") === undefined)("a Redis that may evict", async () => {
  const dir = await mkdtemp(join(tmpdir(), "tl-"));
  const services = await provideServices({ dir, needs: ["redis"], sources: ["native"] });
  const redis = new Redis(services.redisUrl);
  try {
    await redis.config("SET", "maxmemory-policy", "allkeys-lru");
    await expect(fleet.start(probe, { REDIS_URL: services.redisUrl })).rejects.toMatchObject({
      name: "RedisMayEvict",
      message: expect.stringContaining("noeviction"),
    });
    await redis.config("SET", "maxmemory-policy", "noeviction");
    await (await fleet.start(probe, { REDIS_URL: services.redisUrl })).stop();
  } finally {
    redis.disconnect();
    await services.stop();
    await rm(dir, { recursive: true });
  }
});

test.skipIf(!process.env.RABBITMQ_MANAGEMENT_URL)(
  "a policy that overrides our queues",
  async () => {
    const managementUrl = String(process.env.RABBITMQ_MANAGEMENT_URL);
    const policy = ["policies", vhostOf(fleet.config.AMQP_URL), fleet.names.prefix];
    await ask(managementUrl, "PUT", policy, {
      pattern: `^${fleet.names.queue(probe.name)}$`.replaceAll(".", "\\."),
      definition: { "max-length": 10 },
      "apply-to": "queues",
    });
    try {
      await fleet.until("the refusal", async () => {
        // The management database learns of a policy a little later.
        try {
          await (await fleet.start(probe)).stop();
          return undefined;
        } catch (error) {
          expect(error).toMatchObject({
            name: "PolicyOverride",
            message: expect.stringMatching(/max-length on/),
          });
          return true;
        }
      });
    } finally {
      await ask(managementUrl, "DELETE", policy);
    }
  },
);
