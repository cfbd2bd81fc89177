/** The scheduler's clock in Redis under the rights that `make rights` prints: it sets its ticks, and reaches nothing else. */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { createLog } from "@tl-engine/shared/process/log";
import { openRedis, type Redis } from "@tl-engine/shared/stores/redis";
import { openTestFleet, type TestFleet } from "@tl-engine/shared/testing/fleet";
import { type OwnDatabase, useOwnDatabase } from "@tl-engine/shared/testing/own-database";
import { openOwnServers } from "@tl-engine/shared/testing/own-servers";
import { afterAll, beforeAll, expect, test } from "vitest";
import scheduler from "../../../workers/scheduler/index.ts";
import { redisEngineRules } from "./redis-rules.ts";

const FOLDER = dirname(
  fileURLToPath(new URL("../../../workers/scheduler/index.ts", import.meta.url)),
);
const servers = openOwnServers();
let database: OwnDatabase;
let fleet: TestFleet;
let admin: Redis;
let url: URL;

beforeAll(async () => {
  database = await useOwnDatabase();
  fleet = await openTestFleet([scheduler], [FOLDER]);
  url = new URL(String((await servers.redis()).urls.REDIS_URL));
  admin = openRedis(url.href, createLog({}, "silent"), { enableOfflineQueue: true });
});
afterAll(async () => {
  admin?.disconnect();
  await fleet?.close();
  await database?.drop();
  await servers.end();
});

test("ticks come and go, and nothing that it needs is refused", async () => {
  const { prefix } = fleet.names;
  const rules = redisEngineRules(prefix, "scheduler", true);
  await admin.call("ACL", "SETUSER", "clock", ...rules, ">secret");
  url.username = "clock";
  url.password = "secret";
  const worker = await fleet.start(scheduler, { REDIS_URL: url.href, SCHEDULER_POLL_MS: "1000" });
  const id = await fleet.publish("scheduler", "put", {
    ...{ name: "gone.often", type: "gone.x.v1", everySeconds: 1, overlap: "allow" },
  });
  await fleet.reply(id);
  const ticks = `${prefix}:scheduler:bull:ticks`;
  await fleet.until("a tick that went", async () => {
    const events = await admin.xrange(`${ticks}:events`, "-", "+");
    return events.some(([, fields]) => fields.includes("completed")) || undefined;
  });
  const log = (await admin.call("ACL", "LOG")) as unknown[][];
  const refused = log.map((entry) => `${entry[5]} ${entry[7]}`);
  // The name of a connection is told where it may be, and needed by nobody.
  expect(refused.filter((what) => what !== "toplevel client|setname")).toEqual([]);
  const keys = await admin.keys("*");
  expect(keys.filter((key) => !key.startsWith(`${prefix}:scheduler:`))).toEqual([]);
  await worker.stop();
});
