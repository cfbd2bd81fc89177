/** The printed commands for the broker and for Redis, run as they stand, make users that log in, and show no password. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readConfig } from "@tl-engine/shared/process/config";
import { createLog } from "@tl-engine/shared/process/log";
import { openRedis } from "@tl-engine/shared/stores/redis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openConnection } from "../../../shared/broker/connection.ts";
import { findBinary } from "../../../shared/services/binaries.ts";
import {
  hasOwnBroker,
  type OwnBroker,
  startOwnBroker,
} from "../../../shared/testing/own-broker.ts";
import { openOwnServers } from "../../../shared/testing/own-servers.ts";
import { printedRights } from "./testing/printed-rights.ts";

const PASSWORD = "long-and-random-77ab2e";
const printed = await printedRights("activities", { ENGINE_PREFIX: "engine" });
const servers = openOwnServers();
let folder: string;
let broker: OwnBroker | undefined;
let redisUrl: URL;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tl-engine-commands-"));
  redisUrl = new URL(String((await servers.redis()).urls.REDIS_URL));
  if (hasOwnBroker) broker = await startOwnBroker("");
  const redisCli = execFileSync("which", ["redis-cli"], { encoding: "utf8" }).trim();
  keepCalls("redis-cli", `${redisCli} -h ${redisUrl.hostname} -p ${redisUrl.port}`);
  // Not the one of the system, which becomes another user first.
  const binaries = dirname(findBinary("rabbitmq-server") ?? "");
  keepCalls("rabbitmqctl", join(binaries, "rabbitmqctl"));
});
afterAll(async () => {
  await broker?.stop();
  await servers.end();
  rmSync(folder, { recursive: true });
});

/** A command that notes what it is called with, as a list of processes would show it, before the real one. */
function keepCalls(name: string, real: string): void {
  const script = `#!/bin/sh\nprintf '%s\\n' "${name} $*" >>'${folder}/calls'\nexec ${real} "$@"\n`;
  writeFileSync(join(folder, name), script, { mode: 0o755 });
}

/** Runs commands in a shell whose input is the password; returns what they were called with. */
function run(commands: string, env: NodeJS.ProcessEnv = {}): string {
  const path = `${folder}:${dirname(process.execPath)}:${process.env.PATH}`;
  execFileSync("bash", ["-ec", commands], {
    ...{ env: { ...env, PATH: path }, input: `${PASSWORD}\n`, stdio: "pipe" },
  });
  return readFileSync(join(folder, "calls"), "utf8");
}

test.skipIf(!hasOwnBroker)(
  "the broker's user logs in, and no argument was its password",
  async () => {
    const [commands = ""] = printed.split(/^-- Postgres/m);
    const calls = run(commands, broker?.env);
    expect(calls).toContain("rabbitmqctl add_user engine.activities\n");
    expect(calls).not.toContain(PASSWORD);
    const url = new URL(String(broker?.amqpUrl));
    url.username = "engine.activities";
    url.password = PASSWORD;
    const config = readConfig({ ...process.env, AMQP_URL: url.href });
    const { model } = await openConnection(config, "commands");
    await model.close();
  },
);

test("Redis' user logs in, and no argument was its password", async () => {
  const [, commands = ""] = /^(# Redis.*?)^rights:/ms.exec(printed) ?? [];
  const calls = run(commands);
  expect(calls).toMatch(/ACL SETUSER engine\.activities reset on .* #[0-9a-f]{64}$/m);
  expect(calls).not.toContain(PASSWORD);
  redisUrl.username = "engine.activities";
  for (const [password, answer] of [
    [PASSWORD, true],
    ["another", false],
  ] as const) {
    redisUrl.password = password;
    const redis = openRedis(redisUrl.href, createLog({}, "silent"), { enableOfflineQueue: true });
    const info = redis.info().then(
      () => true,
      () => false,
    );
    expect(await info).toBe(answer);
    redis.disconnect();
  }
});
