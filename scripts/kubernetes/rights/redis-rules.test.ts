/** The rules that `make rights` prints, on a Redis of their own: they let through what is needed, and nothing else. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { Claims as CallersClaims } from "@tl-engine/shared/client/claims";
import { createLog } from "@tl-engine/shared/process/log";
import { openRedis, type Redis } from "@tl-engine/shared/stores/redis";
import { checkRedis } from "@tl-engine/shared/stores/start-checks";
import { redisKeys } from "@tl-engine/shared/wire/names";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Claimable, createClaims } from "../../../shared/job/claim.ts";
import { type LiveJob, LiveJobs, listenForCancels } from "../../../shared/job/live-jobs.ts";
import { type OwnServers, openOwnServers } from "../../../shared/testing/own-servers.ts";
import { redisEngineRules, redisPublisherRules } from "./redis-rules.ts";

const PREFIX = "engine";
const PUBLISHER = "tl-plane";
const PASSWORD = "secret";
const log = createLog({}, "silent");

let servers: OwnServers;
let url: string;
let admin: Redis;
const opened: Redis[] = [];

async function open(user?: string): Promise<Redis> {
  const redis = openRedis(user === undefined ? url : urlOf(user), log);
  opened.push(redis);
  await once(redis, "ready");
  return redis;
}

function urlOf(user: string): string {
  const given = new URL(url);
  given.username = user;
  given.password = PASSWORD;
  return given.href;
}

async function login(rules: string[]): Promise<string> {
  const user = randomUUID();
  await admin.call("ACL", "SETUSER", user, ...rules, `>${PASSWORD}`);
  return user;
}

beforeAll(async () => {
  servers = openOwnServers();
  url = String((await servers.redis()).urls.REDIS_URL);
  admin = await open();
});
afterAll(async () => {
  for (const redis of opened) redis.disconnect();
  await servers?.end();
});

const newJob = (engine: string): Claimable => ({
  ...{ engine, publisher: PUBLISHER, id: randomUUID() },
  ...{ generation: 0, attempt: 1, crashes: 0, redeliveries: 0, returns: 0 },
});
const keyOf = ({ engine, publisher, id }: Claimable) =>
  redisKeys.claim(PREFIX, engine, publisher, id);
const checkOf = (user: string, engine: string) => ({
  redisUrl: urlOf(user),
  keys: [keyOf(newJob(engine)), keyOf(newJob(engine))] as [string, string],
  channels: redisKeys.cancel(PREFIX, engine, "*"),
});

/** Claims of a worker that logs in as `user`; a command that is refused fails the test. */
async function claimsOf(user: string) {
  const onSkipped = (_jobs: number, error: unknown) => {
    throw error;
  };
  const redis = await open(user);
  return createClaims({ redis, prefix: PREFIX, leaseMs: 10_000, ttlMs: 60_000, onSkipped });
}

type Refused = [string, ...(string | number)[]];
async function expectRefused(redis: Redis, commands: Refused[]): Promise<void> {
  for (const [name, ...words] of commands)
    await expect(redis.call(name, ...words), [name, ...words].join(" ")).rejects.toThrow(
      /NOPERM|ACL failure in script|can't (?:run|access)/,
    );
}

/** Nobody but an administrator: what shows, takes or changes more than the keys it names. */
const NOBODYS: Refused[] = [
  ["CONFIG", "GET", "requirepass"],
  ["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"],
  ["SCRIPT", "FLUSH"],
  ["SCRIPT", "KILL"],
  ["SCRIPT", "LOAD", "return 1"],
  ["FUNCTION", "LIST"],
  ["FUNCTION", "FLUSH"],
  ...([["SCAN", 0], ["RANDOMKEY"], ["KEYS", "*"], ["DBSIZE"]] as Refused[]),
  ...([["FLUSHALL"], ["FLUSHDB"], ["SWAPDB", 0, 1], ["SELECT", 1]] as Refused[]),
  ...([["MONITOR"], ["SHUTDOWN"], ["ACL", "LIST"]] as Refused[]),
  ...([
    ["CLIENT", "LIST"],
    ["CLIENT", "KILL", "TYPE", "normal"],
    ["REPLICAOF", "NO", "ONE"],
  ] as Refused[]),
  ["PUBSUB", "CHANNELS"],
  ["MIGRATE", "127.0.0.1", 1, "engine:activities:x", 0, 1],
  ["SUBSCRIBE", "__keyspace@0__:engine:analytics:x"],
  ["PSUBSCRIBE", "*"],
];

describe("an engine", () => {
  let user: string;
  let engine: Redis;
  beforeAll(async () => {
    user = await login(redisEngineRules(PREFIX, "activities", true));
    engine = await open(user);
  });

  test("starts, claims, renews, ends, and hears of cancellations", async () => {
    await checkRedis(await open(user), checkOf(user, "activities"), log);
    // Servers forget scripts when they start.
    await admin.call("SCRIPT", "FLUSH");
    const claims = await claimsOf(user);
    const [job, other] = [newJob("activities"), newJob("activities")];
    const claim = await claims.claim(job, false);
    if (claim.kind !== "run" || claim.token === undefined) throw new Error("no claim");
    const beat = { ...job, token: claim.token, progress: "{}" };
    expect(await claims.heartbeat([beat])).toEqual(["renewed"]);
    await claims.unclaim("done", job, claim.token);
    expect((await claims.claim(job, false)).kind).toBe("done");
    await claims.unclaim("retry", other, undefined, 2);
    expect(await claims.claim(other, false)).toEqual({ kind: "stale", attempt: 2 });
    const odd = newJob("activities");
    await admin.hset(keyOf(odd), "not", "ours");
    expect(await claims.claim(odd, false)).toMatchObject({ kind: "run", crashes: 0 });
  });

  test("a cancellation reaches the job of the publisher that asked", async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const job = newJob("activities");
    const live = new LiveJobs();
    live.add({ job, context: { abort: resolve } } as unknown as LiveJob);
    const stop = listenForCancels(live, engine, { prefix: PREFIX, engine: "activities", log });
    try {
      const channel = redisKeys.cancel(PREFIX, "activities", PUBLISHER);
      while ((await admin.publish(channel, job.id)) === 0) await new Promise(setImmediate);
      expect(await promise).toMatchObject({ why: "cancelled" });
    } finally {
      stop();
    }
  });

  test("handlers keep what they need under its own prefix", async () => {
    const key = `${redisKeys.engine(PREFIX, "activities")}own`;
    await engine.multi().incr(key).expire(key, 60).exec();
    await engine.hset(`${key}:hash`, "a", 1);
    await engine.zadd(`${key}:zset`, 1, "a");
    await engine.rpush(`${key}:list`, "a");
    expect(await engine.del(key, `${key}:hash`, `${key}:zset`, `${key}:list`)).toBe(4);
  });

  test("nothing else", async () => {
    const theirs = keyOf(newJob("analytics"));
    await expectRefused(engine, [
      ...NOBODYS,
      ["GET", theirs],
      ["SET", theirs, "x"],
      ["UNLINK", theirs],
      ["EVAL", "return redis.call('GET', KEYS[1])", 1, theirs],
      // A key that a script does not name, and what is refused outside.
      ["EVAL", `return redis.call('GET', '${theirs}')`, 0],
      ["EVAL", "return redis.call('RANDOMKEY')", 0],
      ["PUBLISH", redisKeys.cancel(PREFIX, "analytics", PUBLISHER), "x"],
      ["PSUBSCRIBE", redisKeys.cancel(PREFIX, "analytics", "*")],
      ["BLPOP", `${redisKeys.engine(PREFIX, "activities")}list`, 0],
    ]);
  });

  test.each([
    ["-evalsha", /evalsha/i],
    ["-getrange", /GETRANGE/],
    ["-unlink", /UNLINK/],
    ["-set", /SET/],
    ["-time", /TIME/],
    ["-psubscribe", /psubscribe/i],
    ["resetchannels", /psubscribe.*channel/],
    ["resetkeys", /eval.*key/],
  ])("without %s a start says what is missing", async (rule, named) => {
    const poor = await login([...redisEngineRules(PREFIX, "activities", true), rule]);
    const start = checkRedis(await open(poor), checkOf(poor, "activities"), log);
    await expect(start).rejects.toMatchObject({
      temporary: false,
      message: expect.stringMatching(named),
    });
    await expect(start).rejects.toThrow(/make rights/);
  });
});

test("burials end the claims of every engine, and reach nothing else of theirs", async () => {
  const user = await login(redisEngineRules(PREFIX, "burials", false));
  await checkRedis(await open(user), checkOf(user, "burials"), log);
  const job = newJob("analytics");
  const worker = await claimsOf(await login(redisEngineRules(PREFIX, "analytics", false)));
  expect((await worker.claim(job, false)).kind).toBe("run");
  await (await claimsOf(user)).unclaim("done", job, undefined);
  expect((await worker.claim(job, false)).kind).toBe("done");
  const theirs = `${redisKeys.engine(PREFIX, "analytics")}own`;
  const own = `${redisKeys.engine(PREFIX, "burials")}own`;
  await expectRefused(await open(user), [...NOBODYS, ["SET", theirs, "x"], ["HSET", own, "a", 1]]);
});

test("an endless script of one engine's leaves the others without Redis, and no longer than it lasts", async () => {
  await admin.config("SET", "busy-reply-threshold", 200);
  const culprit = await open(await login(redisEngineRules(PREFIX, "activities", true)));
  const skipped: unknown[] = [];
  const claims = createClaims({
    redis: await open(await login(redisEngineRules(PREFIX, "analytics", false))),
    ...{ prefix: PREFIX, leaseMs: 10_000, ttlMs: 60_000 },
    onSkipped: (_jobs, error) => skipped.push(error),
  });
  const endless = culprit.eval("while true do end", 0).catch((error) => error);
  const startedAt = performance.now();
  // It goes on without a claim, as in any outage.
  expect(await claims.claim(newJob("analytics"), false)).toMatchObject({ token: undefined });
  expect(performance.now() - startedAt).toBeLessThan(1_500);
  expect(skipped).toHaveLength(1);
  const killed = async () => (await open()).call("SCRIPT", "KILL").catch(() => undefined);
  await expect.poll(killed).toBe("OK");
  await endless;
  const claimed = async () => {
    const claim = await claims.claim(newJob("analytics"), false);
    return "token" in claim && claim.token;
  };
  await expect.poll(claimed, { timeout: 5_000 }).toEqual(expect.any(String));
});

describe("a publisher", () => {
  const engines = ["activities", "analytics"];
  const rules = redisPublisherRules(PREFIX, PUBLISHER, engines);

  test("asks for its own jobs' state and cancels them, as the client does", async () => {
    // The client of callers without a name: the same rules, cut for "-".
    const user = await login(rules.map((rule) => rule.replaceAll(PUBLISHER, "-")));
    const worker = await claimsOf(await login(redisEngineRules(PREFIX, "activities", true)));
    const job = { ...newJob("activities"), publisher: undefined };
    const claims = await CallersClaims.open(
      urlOf(user),
      { prefix: PREFIX, publisher: undefined },
      () => {},
    );
    try {
      expect(await claims.read("activities", job.id)).toMatchObject({ state: "unknown" });
      expect(await claims.cancel("analytics", randomUUID())).toEqual({ requested: true });
      const claim = await worker.claim(job, false);
      expect(await claims.cancel("activities", job.id)).toEqual({ requested: true });
      expect(await claims.read("activities", job.id)).toMatchObject({
        state: "running",
        cancelRequested: true,
      });
      const token = String("token" in claim && claim.token);
      expect(await worker.heartbeat([{ ...job, token, progress: "" }])).toEqual(["cancelled"]);
    } finally {
      await claims.close();
    }
  });

  test("reaches its own claims and channels, and nothing else", async () => {
    const redis = await open(await login(rules));
    const mine = newJob("activities");
    await redis.set(keyOf(mine), "x");
    expect(await redis.get(keyOf(mine))).toBe("x");
    await redis.publish(redisKeys.cancel(PREFIX, "analytics", PUBLISHER), mine.id);
    const others = [
      keyOf({ ...mine, publisher: "other" }),
      keyOf({ ...mine, publisher: undefined }),
      keyOf({ ...mine, publisher: `${PUBLISHER}-2` }),
      // An id that looks like a claim of its own.
      keyOf({ ...mine, publisher: "other", id: `x:claim:${PUBLISHER}:x` }),
      `${redisKeys.engine(PREFIX, "activities")}own`,
      keyOf({ ...mine, engine: "burials" }),
    ];
    await expectRefused(redis, [
      ...NOBODYS,
      ...others.flatMap((key): Refused[] => [
        ["GET", key],
        ["SET", key, "x"],
        ["EVAL", "return redis.call('GET', KEYS[1])", 1, key],
      ]),
      ["PUBLISH", redisKeys.cancel(PREFIX, "activities", "other"), mine.id],
      ["PUBLISH", redisKeys.cancel(PREFIX, "activities", undefined), mine.id],
      ["UNLINK", keyOf(mine)],
      ["INFO"],
    ]);
  });

  test("a name that would stand for others has no rules", () => {
    for (const name of ["*", "a:b", "-", ""])
      expect(() => redisPublisherRules(PREFIX, name, engines)).toThrow(RangeError);
  });
});
