/** Dead letters on a real broker: looked at, replayed to success, and never lost. */
import { createHash } from "node:crypto";
import { action, defineWorker, Reject } from "@tl-engine/shared";
import { openConnection } from "@tl-engine/shared/broker/connection";
import { openPublisher, type Publisher } from "@tl-engine/shared/broker/publish";
import { createLog } from "@tl-engine/shared/process/log";
import { HEADERS } from "@tl-engine/shared/wire/headers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { methodOf, rewriteBefore } from "../../../shared/testing/amqp-rewrite.ts";
import { openTestFleet, type TestFleet } from "../../../shared/testing/fleet.ts";
import { listLetters } from "./list.ts";
import { replayLetters } from "./replay.ts";
import type { Selection } from "./selection.ts";

/** Whether the engine is broken, and how often each job ran. */
let broken = true;
const runs = new Map<string, number>();

const fragile = defineWorker({
  name: "fragile",
  concurrency: 16,
  timeoutMs: 3_000,
  actions: {
    run: action({
      version: 1,
      input: z.object({ value: z.string() }),
      output: z.object({ value: z.string() }),
      // An answer is a little longer than the longest input that it echoes.
      maxOutputBytes: 2 * 1024 * 1024,
      handle(input, job) {
        runs.set(job.id, (runs.get(job.id) ?? 0) + 1);
        if (broken) throw new Reject("broken");
        return input;
      },
    }),
  },
});

const BASIC_NACK = 0x003c0078;

let fleet: TestFleet;
let publisher: Publisher;

beforeAll(async () => {
  fleet = await openTestFleet([fragile]);
  publisher = await openPublisher(fleet.config, "test", createLog({}, "silent"));
  await fleet.start(fragile);
});
beforeEach(() => {
  broken = true;
});
afterAll(async () => {
  await publisher?.close();
  await fleet?.close();
});

const list = (limit = 100, refreshAfterLooks?: number) =>
  listLetters(fleet, publisher, {
    ...{ engine: "fragile", names: fleet.names, limit },
    ...(refreshAfterLooks !== undefined && { refreshAfterLooks }),
  });
const replayChosen = (selection: Selection, dryRun = false) =>
  replayLetters(fleet, publisher, { engine: "fragile", names: fleet.names, selection, dryRun });
const replay = async (id?: string) => {
  const { replayed, left } = await replayChosen(id === undefined ? {} : { id });
  return { replayed, left };
};
/** Looks itself: the count that the broker gives of a quorum queue lags behind. */
const buried = (count: number, generation = 0) =>
  fleet.until(`${count} dead letters`, async () => {
    const { letters } = await list(count + 1);
    const right = letters.filter((letter) => letter.generation === generation);
    return right.length === count && letters.length === count ? true : undefined;
  });
const succeeded = (id: string, generation = 1) =>
  fleet.until(`the success of ${id}`, async () => {
    const [row] = await fleet.rows(id);
    return row?.status === "succeeded" && row.generation === generation ? row : undefined;
  });

async function fail(value: string, properties = {}): Promise<string> {
  const id = await fleet.publish("fragile", "run", { value }, properties);
  expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "rejected" } });
  return id;
}

test("a job that failed is looked at, replayed to success, once, and its letter is gone", async () => {
  const id = await fail("first");
  await buried(1);
  const another = await fail("another");
  await buried(2);

  const { count, letters } = await list();
  expect(count).toBeGreaterThanOrEqual(2);
  expect(letters.map((letter) => letter.id)).toEqual([id, another]);
  expect(letters[0]).toMatchObject({ code: "rejected", message: "broken", generation: 0 });
  expect(letters[0]?.publishedAtMs).toBeGreaterThan(Date.now() - 60_000);
  expect((await list(1)).letters).toHaveLength(1);
  await buried(2);

  broken = false;
  expect(await replay("no-such-job")).toEqual({ replayed: [], left: [] });
  expect(await replay(id)).toEqual({ replayed: [id], left: [] });
  await succeeded(id);
  expect((await fleet.reply(id, 2)).reply).toEqual({
    status: "succeeded",
    output: { value: "first" },
  });
  await buried(1);
  expect(runs.get(id)).toBe(2);
  expect(await replay()).toEqual({ replayed: [another], left: [] });
  await succeeded(another);
  await buried(0);
});

test("a letter of the bulk lane is replayed to the bulk lane, also as a fresh copy", async () => {
  const id = await fail("bulk", { lane: "bulk" });
  await buried(1);
  // A look that puts a fresh copy in its place.
  await list(100, 0);
  await fleet.channel.unbindQueue(fleet.names.queue("fragile"), fleet.names.jobs, "fragile");
  broken = false;
  try {
    expect(await replay(id)).toEqual({ replayed: [id], left: [] });
    await succeeded(id);
  } finally {
    await fleet.channel.bindQueue(fleet.names.queue("fragile"), fleet.names.jobs, "fragile");
  }
  await buried(0);
});

test("every letter that is there is replayed; those that fail again come back as the next generation", async () => {
  const ids = await Promise.all(Array.from({ length: 120 }, (_, n) => fail(`many ${n}`)));
  await buried(120);
  expect((await replay()).replayed.toSorted()).toEqual(ids.toSorted());
  await buried(120, 1);
  broken = false;
  await replay();
  for (const id of ids) await succeeded(id, 2);
  await buried(0);
  expect(new Set(ids.map((id) => runs.get(id)))).toEqual(new Set([3]));
});

test("a crash between publish and ack is harmless: the second replay answers from the store", async () => {
  const id = await fail("crash");
  await buried(1);
  broken = false;
  // The crash: the job is published, and the connection that holds the letter is lost before the ack.
  const doomed = await openConnection(fleet.config, "doomed");
  doomed.model.on("close", () => {});
  const crashing: Publisher = {
    ...publisher,
    async publish(outgoing) {
      const published = await publisher.publish(outgoing);
      await doomed.model.close();
      return published;
    },
  };
  await expect(
    replayLetters(doomed, crashing, { engine: "fragile", names: fleet.names, selection: { id } }),
  ).rejects.toThrow();
  await buried(1);
  await succeeded(id);
  expect(await replay(id)).toEqual({ replayed: [id], left: [] });
  const [second, third] = [await fleet.reply(id, 2), await fleet.reply(id, 3)];
  expect([third.id, third.text]).toEqual([second.id, second.text]);
  expect(runs.get(id)).toBe(2);
  await buried(0);
});

describe("a choice", () => {
  /** One letter of each: rejected, invalid_input, expired, cancelled. */
  async function buryFour() {
    const rejected = await fail("rejected");
    const invalid = await fleet.publish("fragile", "run", { value: 1 });
    await fleet.reply(invalid);
    const expired = await fleet.publish(
      "fragile",
      "run",
      { value: "x" },
      { headers: { [HEADERS.deadline]: 1 } },
    );
    await fleet.reply(expired);
    const cancelled = fleet.newId();
    await putLetter(cancelled, { [HEADERS.errorCode]: "cancelled", [HEADERS.endedAt]: Date.now() });
    await buried(4);
    return { rejected, invalid, expired, cancelled };
  }
  const putLetter = (messageId: string, headers: Record<string, unknown>, properties = {}) =>
    new Promise<void>((resolve, reject) =>
      fleet.channel.publish(
        "",
        fleet.names.dead("fragile"),
        Buffer.from('{"value":"put"}'),
        {
          ...{ persistent: true, contentType: "application/json", type: "fragile.run.v1" },
          ...{ messageId, correlationId: messageId, replyTo: fleet.replyTo, headers },
          ...properties,
        },
        (error) => (error ? reject(error) : resolve()),
      ),
    );
  const order = async () => (await list()).letters.map(({ id }) => id);
  afterEach(() => fleet.channel.purgeQueue(fleet.names.dead("fragile")));

  test("of everything leaves what ended on purpose, and says how to have it", async () => {
    const { rejected, invalid, expired, cancelled } = await buryFour();
    broken = false;
    const { replayed, left, unnamed } = await replayChosen({});
    expect(replayed.toSorted()).toEqual([rejected, invalid].toSorted());
    expect([left, unnamed]).toEqual([[], { expired: 1, cancelled: 1 }]);
    await succeeded(rejected);
    // By its id alone it is not named either.
    expect(await replayChosen({ id: cancelled })).toMatchObject({
      ...{ replayed: [], unnamed: { cancelled: 1 } },
    });
    expect(await replayChosen({ codes: ["expired", "cancelled"] })).toMatchObject({
      replayed: [expired, cancelled],
      codes: { expired: 1, cancelled: 1 },
    });
    for (const id of [expired, cancelled]) await succeeded(id);
  });

  test("by code, type and time takes those that fit all of them", async () => {
    const hourAgo = Date.now() - 3_600_000;
    const old = fleet.newId();
    const other = fleet.newId();
    const dated = fleet.newId();
    await putLetter(old, { [HEADERS.errorCode]: "rejected", [HEADERS.endedAt]: hourAgo - 60_000 });
    await putLetter(other, { [HEADERS.errorCode]: "rejected" }, { type: "fragile.old.v1" });
    // A letter that does not say when it ended, of a job that says when it was published.
    await putLetter(
      dated,
      { [HEADERS.errorCode]: "rejected" },
      { timestamp: Math.floor(Date.now() / 1_000) },
    );
    const { rejected, invalid } = await buryFourMore();
    const dry = async (selection: Selection) => (await replayChosen(selection, true)).replayed;
    expect(await dry({ codes: ["rejected"] })).toEqual([old, other, dated, rejected]);
    expect(await dry({ codes: ["rejected"], sinceMs: hourAgo })).toEqual([dated, rejected]);
    expect(await dry({ types: ["fragile.old.v1"] })).toEqual([other]);
    expect(
      await dry({
        codes: ["rejected", "invalid_input"],
        types: ["fragile.run.v1"],
        sinceMs: hourAgo,
      }),
    ).toEqual([dated, rejected, invalid]);
  });
  async function buryFourMore() {
    const rejected = await fail("rejected");
    const invalid = await fleet.publish("fragile", "run", { value: 1 });
    await fleet.reply(invalid);
    await buried(5);
    return { rejected, invalid };
  }

  test("in a dry run counts and touches nothing: letters stay in their order", async () => {
    const { rejected, invalid } = await buryFour();
    const before = await order();
    broken = false;
    for (let times = 0; times < 3; times++)
      expect(await replayChosen({}, true)).toEqual({
        replayed: [rejected, invalid],
        codes: { rejected: 1, invalid_input: 1 },
        left: [],
        unnamed: { expired: 1, cancelled: 1 },
      });
    expect(await order()).toEqual(before);
    expect(runs.get(rejected)).toBe(1);
  });

  test("leaves the others in their order, and they can be replayed afterwards", async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push(await fail(`n ${n}`));
    await buried(5);
    expect(await order()).toEqual(ids);
    broken = false;
    expect((await replayChosen({ id: ids[2] })).replayed).toEqual([ids[2]]);
    await succeeded(String(ids[2]));
    expect(await order()).toEqual(ids.filter((_, n) => n !== 2));
  });
});

test("letters are counted by code, with the first, the last and one of them", async () => {
  const before = Date.now();
  const first = await fail("one");
  const second = await fail("two");
  await fleet.reply(await fleet.publish("fragile", "run", { value: 1 }));
  await buried(3);
  const { groups, seen, letters } = await list(1);
  expect(seen).toBe(3);
  expect(letters).toMatchObject([{ id: first, code: "rejected", endedAtMs: expect.any(Number) }]);
  expect(groups).toMatchObject([
    { of: "rejected", count: 2, sampleId: first },
    { of: "invalid_input", count: 1 },
  ]);
  const [{ firstMs = 0, lastMs = 0 } = {}] = groups;
  expect(firstMs).toBeGreaterThanOrEqual(before);
  expect(lastMs).toBeGreaterThanOrEqual(firstMs);
  expect((await list()).letters[1]).toMatchObject({ id: second });
  await fleet.deadLetters("fragile");
});

test("a conflict stays: its id belongs to another input", async () => {
  const id = await fail("one input");
  await fleet.publish("fragile", "run", { value: "other" }, { messageId: id, correlationId: id });
  await buried(2);
  broken = false;
  expect(await replay()).toEqual({
    replayed: [id],
    left: [{ id, why: "its id belongs to another input" }],
  });
  await succeeded(id);
  await buried(1);
  await fleet.deadLetters("fragile");
});

test("a body that no action takes is not kept whole, and its letter can't be replayed", async () => {
  const body = Buffer.from(JSON.stringify({ value: "é".repeat(600_000) }));
  const bodySha256 = createHash("sha256").update(body).digest("hex");
  const id = await fleet.publish("fragile", "run", {}, { body });
  expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "payload_too_large" } });
  await buried(1);
  expect((await list()).letters).toMatchObject([{ id, cutBytes: body.length, bodySha256 }]);
  // A fresh copy of the letter says it too.
  for (let looks = 0; looks < 6; looks++) await list(100, 3);
  const { replayed, left } = await replay();
  expect(replayed).toEqual([]);
  expect(left).toEqual([
    { id, why: expect.stringMatching(new RegExp(`${body.length} bytes .*${bodySha256}`)) },
  ]);
  const channel = await fleet.model.createChannel();
  const letter = await channel.get(fleet.names.dead("fragile"), { noAck: true });
  await channel.close();
  expect(letter).toMatchObject({ content: body.subarray(0, 4096) });
});

test("the largest body that an action takes is kept whole, and replayed", async () => {
  const value = "v".repeat(1024 * 1024 - '{"value":""}'.length);
  const id = await fail(value);
  await buried(1);
  broken = false;
  expect(await replay()).toEqual({ replayed: [id], left: [] });
  await succeeded(id);
});

test("where nothing is held nothing is given back, which LavinMQ would close the channel over", async () => {
  let nacks = 0;
  const between = await rewriteBefore(fleet.config.AMQP_URL, () => ({
    up(frame) {
      if (methodOf(frame) === BASIC_NACK) nacks++;
      return frame;
    },
  }));
  const through = await openConnection({ ...fleet.config, AMQP_URL: between.url }, "empty");
  try {
    const { names } = fleet;
    await fleet.channel.purgeQueue(names.dead("fragile"));
    await listLetters(through, publisher, { engine: "fragile", names, limit: 5 });
    await replayLetters(through, publisher, { engine: "fragile", names });
    expect(nacks).toBe(0);
  } finally {
    await through.model.close();
    await between.close();
  }
});

test("looking often never makes the broker drop a letter: it gives way to a fresh copy", async () => {
  const id = await fail("looked at", { headers: { traceparent: TRACEPARENT } });
  await buried(1);
  for (let looks = 0; looks < 6; looks++) await list(100, 3);
  const { letters } = await list(100, 3);
  expect(letters).toMatchObject([{ id, code: "rejected", message: "broken" }]);
  await buried(1);
  const [letter] = await fleet.deadLetters("fragile");
  expect(letter?.headers["x-delivery-count"] ?? 0).toBeLessThan(4);
  expect(letter?.headers).toMatchObject({
    traceparent: TRACEPARENT,
    [HEADERS.attempt]: 1,
    [HEADERS.replay]: 0,
  });
  expect(letter?.properties.replyTo).toBe(fleet.replyTo);
});
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
