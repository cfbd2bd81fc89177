/** What becomes of a claim on a real Redis, above all when more than one worker had it. */
import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readConfig } from "../process/config.ts";
import { readRecord, writeRecord } from "../wire/claim-record.ts";
import { redisKeys } from "../wire/names.ts";
import { type Claim, type Claimable, type Claims, createClaims, SUSPECT_AFTER } from "./claim.ts";

const PREFIX = `t-${randomUUID().slice(0, 8)}`;
const SOON_MS = 20;
let redis: Redis;
/** Two workers; the second one's leases are over at once. */
let one: Claims;
let hasty: Claims;

beforeAll(() => {
  redis = new Redis(readConfig(process.env).REDIS_URL);
  const open = (leaseMs: number) =>
    createClaims({ redis, prefix: PREFIX, leaseMs, ttlMs: 60_000, onSkipped() {} });
  one = open(60_000);
  hasty = open(1);
});
afterAll(async () => {
  const keys = await redis?.keys(`${PREFIX}:*`);
  if (keys?.length > 0) await redis.unlink(keys);
  redis?.disconnect();
});

const newJob = (): Claimable => ({
  engine: "probe",
  publisher: "tl-plane",
  id: randomUUID(),
  generation: 0,
  attempt: 1,
  crashes: 0,
  redeliveries: 0,
  returns: 0,
});
const keyOf = ({ engine, publisher, id }: Claimable) =>
  redisKeys.claim(PREFIX, engine, publisher, id);
const recordOf = async (job: Claimable) => readRecord(await redis.get(keyOf(job)));
const tokenOf = (claim: Claim) => ("token" in claim ? claim.token : undefined);
const passed = () => new Promise((resolve) => setTimeout(resolve, SOON_MS));

test("a claim is held by one, and its end is told to whoever comes later", async () => {
  const job = newJob();
  const [first, second] = await Promise.all([one.claim(job, false), one.claim(job, false)]);
  expect(first).toMatchObject({ kind: "run", crashes: 0 });
  expect(second).toMatchObject({ kind: "busy" });
  await one.unclaim("done", job, tokenOf(first));
  expect(await one.claim(job, false)).toEqual({ kind: "done" });
  expect(await redis.pttl(keyOf(job))).toBeGreaterThan(0);
});

test("a lease that ran out counts as a crash, and the latecomer's end leaves the new holder its claim", async () => {
  const job = newJob();
  const late = await hasty.claim(job, false);
  await passed();
  const now = await one.claim({ ...job, returns: 1 }, false);
  expect(now).toMatchObject({ kind: "run", crashes: 1 });
  await one.unclaim("done", job, tokenOf(late));
  expect(await recordOf(job)).toMatchObject({ done: true, token: tokenOf(now), crashes: 0 });
});

test("the end of an earlier generation does not end a replay", async () => {
  const job = newJob();
  const zombie = await hasty.claim(job, false);
  await passed();
  const replay = { ...job, generation: 1 };
  const claimed = await one.claim(replay, false);
  expect(claimed.kind).toBe("run");
  const before = await recordOf(job);
  await one.unclaim("done", job, tokenOf(zombie));
  expect(await recordOf(job)).toEqual(before);
  expect(await one.claim(job, false)).toEqual({ kind: "stale", attempt: 0 });
});

test("a retry on record makes the copy with the lower attempt stale, also by a worker without a claim", async () => {
  for (const isClaimed of [true, false]) {
    const job = newJob();
    const claim = isClaimed ? await one.claim(job, false) : undefined;
    await one.unclaim("retry", job, claim && tokenOf(claim), 2);
    expect(await one.claim(job, false)).toEqual({ kind: "stale", attempt: 2 });
    expect(await one.claim({ ...job, attempt: 2 }, false)).toMatchObject({ kind: "run" });
  }
});

test("a claim that was given back is nobody's crash, and only its holder can give it back", async () => {
  const job = newJob();
  const claim = await one.claim(job, false);
  await one.unclaim("release", job, "another");
  expect((await one.claim(job, false)).kind).toBe("busy");
  await one.unclaim("release", job, tokenOf(claim));
  expect(await one.claim(job, false)).toMatchObject({ kind: "run", crashes: 0 });
});

test("what comes back says when, and why its last run failed, until a replay starts afresh", async () => {
  const job = newJob();
  const claim = await one.claim(job, false);
  const failure = '{"message":"a b"}';
  await one.unclaim("retry", job, tokenOf(claim), 2, { inMs: 5_000, failure });
  const parked = await recordOf(job);
  expect(parked).toMatchObject({ token: undefined, attempt: 2, failure });
  expect(Math.abs((parked?.leaseEndMs ?? 0) - Date.now() - 5_000)).toBeLessThan(1_000);
  const next = { ...job, attempt: 2 };
  const again = await one.claim(next, false);
  expect(again).toMatchObject({ kind: "run", crashes: 0 });
  await one.unclaim("release", next, tokenOf(again));
  expect(await recordOf(job)).toMatchObject({ attempt: 2, leaseEndMs: 0, failure });
  await one.claim({ ...job, generation: 1 }, false);
  expect(await recordOf(job)).toMatchObject({ generation: 1, failure: "" });
});

test("a heartbeat that comes after the end of its run gives the job no lease", async () => {
  for (const what of ["retry", "release", "done"] as const) {
    const job = newJob();
    const token = tokenOf(await one.claim(job, false)) ?? "";
    await one.unclaim(what, job, token, 2);
    const before = await recordOf(job);
    expect(await one.heartbeat([{ ...job, token, progress: "{}" }])).toEqual(["ended"]);
    expect(await recordOf(job)).toEqual(before);
  }
});

test("what cannot be read is as if it were not there", async () => {
  const job = newJob();
  await redis.set(keyOf(job), "nonsense");
  expect(await one.claim(job, false)).toMatchObject({ kind: "run", crashes: 0 });
});

test("a cancellation that came first is the first claim's answer", async () => {
  const job = newJob();
  const cancelled = {
    done: false,
    cancelled: true,
    leaseEndMs: 0,
    progress: "",
    failure: "",
    crashes: 0,
  };
  await redis.set(
    keyOf(job),
    writeRecord({ ...cancelled, token: undefined, generation: 0, attempt: 0 }),
  );
  expect((await one.claim(job, false)).kind).toBe("cancelled");
});

test("crashes that only the message tells of count, though Redis knows nothing of the job", async () => {
  const claimNew = (crashes: number, alone: boolean) => one.claim({ ...newJob(), crashes }, alone);
  expect(await claimNew(10, false)).toMatchObject({ kind: "run", crashes: 10 });
  expect(await claimNew(SUSPECT_AFTER, false)).toEqual({ kind: "suspect", crashes: SUSPECT_AFTER });
  expect(await claimNew(SUSPECT_AFTER, true)).toMatchObject({ crashes: SUSPECT_AFTER });
  const job = { ...newJob(), crashes: 1 };
  const first = await one.claim(job, false);
  expect(first).toMatchObject({ kind: "run", crashes: 1 });
  expect(await recordOf(job)).toEqual({
    ...{ token: tokenOf(first), generation: 0, attempt: 1, crashes: 1 },
    ...{ progress: "", failure: "" },
    ...{ done: false, cancelled: false, leaseEndMs: expect.closeTo(Date.now() + 60_000, -3) },
  });
  // What a job leaves that has never crashed is the same but for the crashes.
  const other = newJob();
  const its = await one.claim(other, false);
  expect(await recordOf(other)).toEqual({
    ...(await recordOf(job)),
    ...{ token: tokenOf(its), crashes: 0, leaseEndMs: expect.any(Number) },
  });
});
