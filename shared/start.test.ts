/** What is refused at start, and with which advice. */
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { vhostOf } from "./broker/address.ts";
import { ask } from "./broker/management.ts";
import { openTestFleet, type TestFleet } from "./testing/fleet.ts";
import { probe } from "./testing/probe-engine.ts";

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
});
afterAll(() => fleet?.close());

test("a queue that is missing", async () => {
  await expect(fleet.start({ ...probe, name: "absent" })).rejects.toMatchObject({
    name: "MissingTopology",
    message: expect.stringMatching(/queue \S+\.absent is missing.*make topology/),
  });
});

test("a migration that did not run", async () => {
  const owning = join(await mkdtemp(join(tmpdir(), "tl-")), "owning");
  await mkdir(join(owning, "migrations"), { recursive: true });
  await writeFile(join(owning, "migrations", "001_never.sql"), "select 1");
  await expect(fleet.start(probe, {}, { folder: owning })).rejects.toMatchObject({
    name: "WrongSchema",
    message: expect.stringMatching(/engine_owning\/001_never\.sql.*make migrate/),
  });
});

test("a Redis that may evict", async () => {
  const redis = new Redis(fleet.config.REDIS_URL);
  const [, before] = (await redis.config("GET", "maxmemory-policy")) as [string, string];
  await redis.config("SET", "maxmemory-policy", "allkeys-lru");
  try {
    await expect(fleet.start(probe)).rejects.toMatchObject({
      name: "RedisMayEvict",
      message: expect.stringContaining("noeviction"),
    });
  } finally {
    await redis.config("SET", "maxmemory-policy", before);
    redis.disconnect();
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
