/** The process of a worker, before there is anything to drain. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { brokerUserOf } from "./broker/address.ts";
import { action, defineWorker } from "./engine/define-worker.ts";
import { openTestFleet } from "./testing/fleet.ts";
import { redisKeys } from "./wire/names.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));

const touched = defineWorker({
  name: "touched",
  concurrency: 4,
  timeoutMs: 1_000,
  actions: {
    run: action({ version: 1, input: z.object({}), output: z.object({}), handle: () => ({}) }),
  },
});
/** The same as a file. */
const TOUCHED = `import { action, defineWorker } from "@tl-engine/shared";
import { z } from "zod";
export default defineWorker({ name: "touched", concurrency: 4, timeoutMs: 1_000, actions: {
  run: action({ version: 1, input: z.object({}), output: z.object({}), handle: () => ({}) }) } });`;

beforeAll(() => mkdir(new URL("../out", import.meta.url), { recursive: true }));

test("SIGTERM while it still imports ends it well: a container's first process hears no other way", async () => {
  const file = join(await mkdtemp(join(tmpdir(), "tl-")), "index.mjs");
  await writeFile(
    file,
    'console.log("importing"); await new Promise((r) => setTimeout(r, 60_000));',
  );
  const child = spawn(process.execPath, [MAIN, file], {
    env: {
      ...process.env,
      AMQP_URL: "amqp://127.0.0.1:1",
      DATABASE_URL: "postgres://127.0.0.1:1/enginedb",
      REDIS_URL: "redis://127.0.0.1:1",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});

test("a health port that is taken: it exits with 2, says so, and has touched no job", async () => {
  const fleet = await openTestFleet([touched]);
  const taken = createServer().listen(0);
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const folder = await mkdtemp(join(fileURLToPath(new URL("../out", import.meta.url)), "main-"));
  try {
    const ids = await Promise.all(
      Array.from({ length: 5 }, () => fleet.publish("touched", "run", {})),
    );
    await writeFile(join(folder, "index.ts"), TOUCHED);
    const child = spawn(process.execPath, [MAIN, join(folder, "index.ts")], {
      env: { ...process.env, ...fleet.env, LOG_LEVEL: "info", HEALTH_PORT: String(port) },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const output = text(child.stdout);
    expect(await once(child, "exit")).toEqual([2, null]);
    expect(await output).toContain("HEALTH_PORT=0");
    const { messageCount } = await fleet.channel.checkQueue(fleet.names.queue("touched"));
    expect(messageCount).toBe(5);
    const redis = new Redis(fleet.config.REDIS_URL);
    const keys = ids.map((id) =>
      redisKeys.claim(fleet.names.prefix, "touched", brokerUserOf(fleet.config.AMQP_URL), id),
    );
    expect(await redis.exists(...keys)).toBe(0);
    redis.disconnect();
  } finally {
    taken.close();
    await rm(folder, { recursive: true, force: true });
    await fleet.close();
  }
});

test("a promise that a handler does not await costs its job nothing, and no other job its worker", async () => {
  const fleet = await openTestFleet([touched]);
  const folder = await mkdtemp(join(fileURLToPath(new URL("../out", import.meta.url)), "main-"));
  await writeFile(
    join(folder, "index.ts"),
    TOUCHED.replace(
      "() => ({})",
      "async () => { void Promise.reject(new Error('floats')); return {}; }",
    ),
  );
  const child = spawn(process.execPath, [MAIN, join(folder, "index.ts")], {
    env: { ...process.env, ...fleet.env, LOG_LEVEL: "info", HEALTH_PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const output = text(child.stdout);
  try {
    for (let i = 0; i < 2; i++) {
      const id = await fleet.publish("touched", "run", {});
      expect((await fleet.reply(id)).reply).toMatchObject({ status: "succeeded" });
    }
  } finally {
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(await output).toContain("unhandled_rejection");
    await rm(folder, { recursive: true, force: true });
    await fleet.close();
  }
});
