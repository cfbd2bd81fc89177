/** A Redis that hands its place to another one: worker and caller leave the demoted server by themselves. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { Redis } from "ioredis";
import pino from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Claims as CallerClaims } from "../client/claims.ts";
import { createClaims } from "../job/claim.ts";
import { type OwnServers, openOwnServers } from "../testing/own-servers.ts";
import { startProxy } from "../testing/proxy.ts";
import { isClustered, needsNewConnection } from "../wire/redis-errors.ts";
import { openRedis } from "./redis.ts";

let servers: OwnServers;
let ports: [number, number];

beforeAll(async () => {
  servers = openOwnServers();
  const both = await Promise.all([servers.redis(), servers.redis()]);
  ports = both.map(({ urls }) => Number(new URL(String(urls.REDIS_URL)).port)) as [number, number];
});
afterAll(() => servers.end());

/** The name leads to the new primary, and the old one is its replica; who is connected stays connected. */
async function openPair() {
  const target = { host: "127.0.0.1", port: ports[0] };
  const proxy = await startProxy(target);
  const [first, second] = ports.map((port) => new Redis(port)) as [Redis, Redis];
  await second.replicaof("NO", "ONE");
  await first.replicaof("NO", "ONE");
  return {
    url: `redis://127.0.0.1:${proxy.port}/0`,
    async failOver() {
      target.port = ports[1];
      await first.replicaof("127.0.0.1", ports[1]);
    },
    async close() {
      for (const redis of [first, second]) redis.disconnect();
      await proxy.close();
    },
  };
}

test("a worker claims again soon, on the new primary", async () => {
  const pair = await openPair();
  const redis = openRedis(pair.url, pino({ level: "silent" }));
  const skipped: unknown[] = [];
  const claims = createClaims({
    redis,
    prefix: `f${randomUUID()}`,
    leaseMs: 2_000,
    ttlMs: 60_000,
    onSkipped: (_jobs, error) => error !== undefined && skipped.push(error),
  });
  const claim = async () => {
    const job = { engine: "probe", publisher: undefined, id: randomUUID() };
    const counts = { generation: 0, attempt: 1, crashes: 0, redeliveries: 0, returns: 0 };
    const answer = await claims.claim({ ...job, ...counts }, false);
    return answer.kind === "run" && answer.token !== undefined;
  };
  try {
    await once(redis, "ready");
    expect(await claim()).toBe(true);
    await pair.failOver();
    expect(await claim()).toBe(false);
    expect(skipped).toMatchObject([{ message: expect.stringContaining("READONLY") }]);
    await expect.poll(claim, { timeout: 10_000, interval: 100 }).toBe(true);
  } finally {
    redis.disconnect();
    await pair.close();
  }
});

test("a caller's cancellation reaches the new primary at once", async () => {
  const pair = await openPair();
  const claims = await CallerClaims.open(
    pair.url,
    { prefix: "failover", publisher: undefined },
    () => {},
  );
  const id = randomUUID();
  try {
    expect(await claims.cancel("probe", id)).toEqual({ requested: true });
    await pair.failOver();
    expect(await claims.cancel("probe", id)).toEqual({ requested: true });
    expect(await claims.read("probe", id)).toMatchObject({ cancelRequested: true });
  } finally {
    await claims.close();
    await pair.close();
  }
});

describe("what a reply says of the server", () => {
  const table: [string, boolean, boolean?][] = [
    ["READONLY You can't write against a read only replica.", true],
    ["ERR Error running script (call to f_1): @user_script:1: -READONLY You can't write", true],
    ["LOADING Redis is loading the dataset in memory", true],
    ["MASTERDOWN Link with MASTER is down", true],
    ["NOAUTH Authentication required.", true],
    ["WRONGPASS invalid username-password pair or user is disabled.", true],
    ["CLUSTERDOWN The cluster is down", true, true],
    ["NOREPLICAS Not enough good replicas to write.", true],
    ["MISCONF Redis is configured to save RDB snapshots, but it's currently unable to", false],
    ["OOM command not allowed when used memory > 'maxmemory'.", false],
    ["BUSY Redis is busy running a script.", false],
    ["NOPERM this user has no permissions to run the 'eval' command", false],
    ["ERR value is not READONLY", false],
    ["CROSSSLOT Keys in request don't hash to the same slot", false, true],
    ["MOVED 1234 127.0.0.1:7001", false, true],
    ["Command timed out", false],
  ];
  test.each(table)("%s", (text, elsewhere, clustered = false) => {
    expect([needsNewConnection(new Error(text)), isClustered(new Error(text))]).toEqual([
      elsewhere,
      clustered,
    ]);
  });
});
