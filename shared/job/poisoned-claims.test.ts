/** What Redis may say of a job, be it never so wrong: the job runs, within a bound, and only Postgres ends it. */
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { probe, runs } from "../testing/probe-engine.ts";
import { type ClaimRecord, readRecord, writeRecord } from "../wire/claim-record.ts";
import { redisKeys } from "../wire/names.ts";
import { type Claimable, type Claims, createClaims } from "./claim.ts";

const LEASE_MS = 300;
const FAR_MS = 9_999_999_999_999;
const CLEAN: ClaimRecord = {
  ...{ token: undefined, generation: 0, attempt: 0, crashes: 0, done: false, cancelled: false },
  ...{ leaseEndMs: 0, progress: "", failure: "" },
};

let fleet: TestFleet;
let redis: Redis;
let claims: Claims;

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
  await fleet.start(probe, { LEASE_MS: "1000" });
  redis = new Redis(fleet.config.REDIS_URL);
  const prefix = fleet.names.prefix;
  claims = createClaims({ redis, prefix, leaseMs: LEASE_MS, ttlMs: 60_000, onSkipped });
});
afterAll(async () => {
  redis?.disconnect();
  await fleet?.close();
});

let skipped = 0;
function onSkipped(jobs: number): void {
  skipped += jobs;
}

const keyOf = (id: string) => redisKeys.claim(fleet.names.prefix, "probe", undefined, id);
const newJob = (): Claimable => ({
  ...{ engine: "probe", publisher: undefined, id: fleet.newId() },
  ...{ generation: 0, attempt: 1, crashes: 0, redeliveries: 0, returns: 0 },
});
const poison = (id: string, record: Partial<ClaimRecord>) =>
  redis.set(keyOf(id), writeRecord({ ...CLEAN, ...record }));
const recordOf = async (id: string) => readRecord(await redis.get(keyOf(id)));

/** Runs a job over what was put in its place, and answers how long it took. */
async function runOver(
  put: (id: string) => Promise<unknown>,
  input: object = {},
): Promise<{ id: string; tookMs: number; reply: object }> {
  const id = fleet.newId();
  await put(id);
  const startedAt = performance.now();
  await fleet.publish("probe", "run", input, {
    messageId: id,
    correlationId: id,
    userId: undefined,
  });
  const { reply } = await fleet.reply(id);
  return { id, tookMs: performance.now() - startedAt, reply };
}

const RECORDS: [string, Partial<ClaimRecord>][] = [
  ["a later generation", { generation: 1_000 }],
  ["a later generation, done", { generation: 1_000, done: true, attempt: 1 }],
  ["done, without a row", { done: true, attempt: 1 }],
  ["a hundred crashes", { crashes: 100 }],
  ["a lease far ahead", { token: "x:1", attempt: 1, leaseEndMs: FAR_MS }],
  ["a lease far ahead, of a later generation", { token: "x:1", generation: 9, leaseEndMs: FAR_MS }],
  ["an attempt that no message can carry", { attempt: 5_000 }],
];
test.each(RECORDS)("%s: the job runs soon, and once", async (_name, record) => {
  const { id, tookMs, reply } = await runOver((it) => poison(it, record));
  expect(reply).toMatchObject({ status: "succeeded", output: { attempt: 1 } });
  expect(runs.get(id)).toBe(1);
  expect(tookMs).toBeLessThan(5_000);
  // What was done is on record again, and forgotten in time.
  await fleet.until("the end on record", async () => (await recordOf(id))?.done || undefined);
  expect((await redis.get(keyOf(id)))?.length).toBeLessThan(100);
});

test("an attempt past the last takes none of the job's own", async () => {
  const { id, reply } = await runOver((it) => poison(it, { attempt: 900 }), { failures: 1 });
  expect(reply).toMatchObject({ status: "succeeded", output: { attempt: 2 } });
  expect(runs.get(id)).toBe(2);
});

const OTHERS: [string, (key: string) => Promise<unknown>][] = [
  ["a hash", (key) => redis.hset(key, "token", "x")],
  ["a list", (key) => redis.rpush(key, "x")],
  ["a set", (key) => redis.sadd(key, "x")],
  ["a stream", (key) => redis.xadd(key, "*", "x", "y")],
  ["bytes", (key) => redis.set(key, Buffer.from([0xff, 0, 0x20, 0x80]))],
  ["numbers without end", (key) => redis.set(key, `- ${"9".repeat(400)} 1 0 0 0 0 `)],
];
test.each(OTHERS)(
  "%s in the place of a claim is as nothing, and keeps no neighbour from its claim",
  async (_name, put) => {
    const [job, neighbour] = [newJob(), newJob()];
    await put(keyOf(job.id));
    const [first, second] = await Promise.all([
      claims.claim(job, false),
      claims.claim(neighbour, false),
    ]);
    expect([first, second]).toMatchObject([
      { kind: "run", token: expect.any(String), crashes: 0 },
      { kind: "run", token: expect.any(String), crashes: 0 },
    ]);
    const token = String("token" in first && first.token);
    for (const [what, done] of [
      ["release", false],
      ["done", true],
    ] as const) {
      await redis.del(keyOf(job.id));
      await put(keyOf(job.id));
      expect(await claims.heartbeat([{ ...job, token, progress: "" }])).toEqual(["renewed"]);
      await redis.del(keyOf(job.id));
      await put(keyOf(job.id));
      await claims.unclaim(what, job, token);
      if (done) expect(await recordOf(job.id)).toMatchObject({ done });
    }
    expect(skipped).toBe(0);
  },
);

test("no more crashes are believed than the message was sent back, or tells of itself", async () => {
  const crashesOf = async (job: Partial<Claimable>, alone = false) => {
    const poisoned = { ...newJob(), ...job };
    await poison(poisoned.id, { attempt: 1, crashes: 100 });
    return claims.claim(poisoned, alone);
  };
  expect(await crashesOf({})).toMatchObject({ kind: "run", crashes: 0 });
  expect(await crashesOf({ returns: 1 })).toMatchObject({ kind: "run", crashes: 1 });
  expect(await crashesOf({ returns: 3 })).toEqual({ kind: "suspect", crashes: 3 });
  expect(await crashesOf({ returns: 3 }, true)).toMatchObject({ kind: "run", crashes: 3 });
  expect(await crashesOf({ crashes: 2 })).toEqual({ kind: "suspect", crashes: 2 });
  expect(await crashesOf({ returns: 4 }, true)).toMatchObject({ kind: "run", crashes: 4 });
});

test("megabytes of progress are neither read nor written again", async () => {
  const job = newJob();
  await poison(job.id, { attempt: 1, progress: "x".repeat(4_000_000) });
  expect(await claims.claim(job, false)).toMatchObject({ kind: "run" });
  expect(await redis.strlen(keyOf(job.id))).toBeLessThan(100);
});

test("a lease far ahead is waited for as long as a lease, and its holder loses it to no crash", async () => {
  const job = newJob();
  await poison(job.id, { token: "x:1", attempt: 1, leaseEndMs: FAR_MS });
  expect(await claims.claim(job, false)).toEqual({ kind: "busy", remainingMs: LEASE_MS });
  await new Promise((resolve) => setTimeout(resolve, LEASE_MS + 50));
  expect(await claims.claim(job, false)).toMatchObject({ kind: "run", crashes: 0 });
});

test("what Postgres denies is no end, but a lease that somebody holds is waited for", async () => {
  const job = newJob();
  await poison(job.id, { generation: 9, attempt: 9, done: true });
  const mine = await claims.claim(job, false, true);
  expect(mine).toMatchObject({ kind: "run", token: expect.any(String) });
  expect(await claims.claim(job, false, true)).toMatchObject({ kind: "busy" });
});
