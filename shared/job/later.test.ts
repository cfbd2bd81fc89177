/** Jobs that are to run later, through a real broker: who keeps them gets all that there is to know, and brings them back. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import {
  action,
  type BackgroundContext,
  defineWorker,
  type HeldJob,
  type TargetJob,
} from "../engine/define-worker.ts";
import { Reject, RetryLater } from "../engine/errors.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { HEADERS } from "../wire/headers.ts";
import { SCHEDULER } from "../wire/names.ts";

const ranAtMs: number[] = [];
const Input = z.object({
  waitMs: z.number().optional(),
  laterId: z.string().optional(),
  laterAt: z.number().optional(),
});
const HOUR_MS = 3_600_000;

const sleeper = defineWorker({
  name: "sleeper",
  concurrency: 2,
  timeoutMs: 2_000,
  actions: {
    sleep: action({
      version: 1,
      input: Input,
      output: z.object({ attempt: z.number() }),
      handle({ waitMs, laterId, laterAt = Date.now() + HOUR_MS }, job) {
        ranAtMs.push(Date.now());
        if (waitMs !== undefined && ranAtMs.length === 1) throw new RetryLater(waitMs);
        if (laterId !== undefined)
          job.later("sleep", {}, { id: laterId, runAt: new Date(laterAt) });
        return { attempt: job.attempt };
      },
    }),
  },
  on: { "night.fell": { action: "sleep", map: (event) => event } },
});

/** What was kept, and by a test brought back. */
const kept: HeldJob[] = [];
let refuses = false;
let context: BackgroundContext | undefined;
let ended = 0;

const keeper = defineWorker({
  name: SCHEDULER,
  concurrency: 4,
  timeoutMs: 2_000,
  maxAttempts: 2,
  actions: {
    keep: action({
      version: 1,
      input: z.custom<HeldJob>((held) => typeof held === "object"),
      output: z.object({}),
      handle(held) {
        if (refuses) throw new Reject("it can't be kept");
        kept.push(held);
        return {};
      },
    }),
  },
  later: { action: "keep", map: (held) => held },
  async background(given) {
    context = given;
    return async () => {
      ended++;
    };
  },
});

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await openTestFleet([sleeper, keeper]);
  await fleet.start(keeper);
  await fleet.start(sleeper);
});
afterAll(async () => {
  await fleet?.close();
  expect(ended).toBe(1);
});
afterEach(() => {
  kept.length = 0;
  ranAtMs.length = 0;
  refuses = false;
});

const nextKept = (id: string) =>
  fleet.until(`${id} kept`, () => kept.find((held) => held.id === id));

test("a wait that outlasts the longest tier is kept, with all that its engine needs, and ends once it is back", async () => {
  const id = await fleet.publish("sleeper", "sleep", { waitMs: 2 * HOUR_MS }, { lane: "bulk" });
  const held = await nextKept(id);
  expect(held.runAtMs - Date.now()).toBeGreaterThan(2 * HOUR_MS - 10_000);
  const { user } = await userOf();
  expect(held).toMatchObject({
    ...{ engine: "sleeper", lane: "bulk", type: "sleeper.sleep.v1", attempt: 1, generation: 0 },
    ...{ publisher: user, replyTo: fleet.replyTo, body: JSON.stringify({ waitMs: 2 * HOUR_MS }) },
  });
  expect(await context?.publish(held)).toBe("routed");
  expect((await fleet.reply(id)).reply).toEqual({ status: "succeeded", output: { attempt: 1 } });
  const [row] = await fleet.rows(id);
  expect(row).toMatchObject({ engine: "sleeper", publisher: user, status: "succeeded" });
});

test("a job with x-run-at waits, whichever exchange it came to; its time passed, it runs at once", async () => {
  const runAt = Date.now() + 60_000;
  const headers = { [HEADERS.runAt]: runAt };
  const sent = await fleet.publish("sleeper", "sleep", {}, { headers });
  expect((await nextKept(sent)).runAtMs).toBe(runAt);
  const direct = await publishLater("sleeper", {}, headers);
  expect((await nextKept(direct)).runAtMs).toBe(runAt);
  expect(ranAtMs).toEqual([]);
  const past = { headers: { [HEADERS.runAt]: Date.now() - 5_000 } };
  const due = await fleet.publish("sleeper", "sleep", {}, past);
  expect((await fleet.reply(due)).reply.status).toBe("succeeded");
});

test("the same job twice is kept once, and that it is kept is no answer to it", async () => {
  const headers = { [HEADERS.runAt]: Date.now() + 60_000 };
  const id = fleet.newId();
  await publishLater("sleeper", {}, headers, { messageId: id });
  await nextKept(id);
  await publishLater("sleeper", {}, headers, { messageId: id });
  const other = { [HEADERS.runAt]: Date.now() + 90_000 };
  await publishLater("sleeper", {}, other, { messageId: id });
  await fleet.until("the new time", () => kept[1]);
  expect(kept.map(({ runAtMs }) => runAtMs)).toEqual([headers[HEADERS.runAt], other["x-run-at"]]);
  expect(fleet.replies.filter(({ correlationId }) => correlationId === id)).toEqual([]);
});

test("a job that is moved, and moved back, waits for the time that was said last", async () => {
  const [first, second] = [Date.now() + 60_000, Date.now() + 90_000];
  const id = fleet.newId();
  for (const [n, runAt] of [first, second, first].entries()) {
    const timestamp = Math.floor(Date.now() / 1_000) + n;
    await publishLater("sleeper", {}, { [HEADERS.runAt]: runAt }, { messageId: id, timestamp });
    await fleet.until(`move ${n}`, () => kept[n]);
  }
  expect(kept.map(({ runAtMs }) => runAtMs)).toEqual([first, second, first]);
});

test("so is a job that its engine moves back", async () => {
  const at = Date.now() + HOUR_MS;
  const id = fleet.newId();
  for (const [n, laterAt] of [at, at + 60_000, at].entries()) {
    await fleet.publish("sleeper", "sleep", { laterId: id, laterAt });
    await fleet.until(`move ${n}`, () => kept[n]);
  }
  expect(kept.map(({ runAtMs }) => runAtMs - at)).toEqual([0, 60_000, 0]);
});

test("what can't be kept is told to its caller, and a replay has it kept after all", async () => {
  refuses = true;
  const runAt = Date.now() + 60_000;
  const id = await publishLater("sleeper", {}, { [HEADERS.runAt]: runAt });
  const told = await fleet.reply(id);
  expect(told.type).toBe("sleeper.sleep.v1.error");
  expect(told.reply).toMatchObject({ error: { code: "rejected", message: "it can't be kept" } });
  const letter = await fleet.until("its letter", async () =>
    (await fleet.deadLetters(SCHEDULER)).find(({ correlationId }) => correlationId === id),
  );
  expect(letter.headers).toMatchObject({
    [HEADERS.runAt]: runAt,
    [HEADERS.held]: "sleeper interactive 0 1 0 0",
  });
  refuses = false;
  const isKept = ([name]: [string, unknown]) => !name.startsWith("x-error");
  const again = {
    ...Object.fromEntries(Object.entries(letter.headers).filter(isKept)),
    "x-replay": 1,
  };
  await fleet.publish(
    SCHEDULER,
    "keep",
    {},
    {
      ...{ messageId: id, type: "sleeper.sleep.v1", headers: again },
    },
  );
  expect(await nextKept(id)).toMatchObject({ runAtMs: runAt, attempt: 1, generation: 0 });
});

test("an engine's own job for later comes with its result, as its own", async () => {
  const laterId = `${fleet.newId()}:wake`;
  const id = await fleet.publish("sleeper", "sleep", { laterId });
  const held = await nextKept(laterId);
  expect((await fleet.reply(id)).reply.status).toBe("succeeded");
  expect(held).toMatchObject({ engine: "sleeper", type: "sleeper.sleep.v1", body: "{}" });
  expect(held.replyTo).toBeUndefined();
  expect(held.runAtMs - Date.now()).toBeGreaterThan(HOUR_MS - 10_000);
});

test("an event that waits longer than the longest tier comes back to this engine alone", async () => {
  const id = fleet.newId();
  const body = Buffer.from(JSON.stringify({ waitMs: 3 * HOUR_MS }));
  const { user } = await userOf();
  fleet.channel.publish(fleet.names.events, "night.fell", body, {
    ...{ messageId: id, type: "night.fell", contentType: "application/json", userId: user },
  });
  const held = await nextKept(id);
  expect(held).toMatchObject({ engine: "sleeper", type: "night.fell" });
  await context?.publish(held);
  await fleet.until("its row", async () => (await fleet.rows(id))[0]);
});

test("a job that was cancelled while it waited ends unrun, and its caller hears of it", async () => {
  const job: TargetJob = {
    ...{ engine: "sleeper", lane: "interactive", id: fleet.newId(), type: "sleeper.sleep.v1" },
    ...{ body: "{}", replyTo: fleet.replyTo, cancelled: true },
  };
  await context?.publish(job);
  expect((await fleet.reply(job.id)).reply).toMatchObject({ error: { code: "cancelled" } });
  expect(ranAtMs).toEqual([]);
});

test("a job for an engine that is gone is kept with the unrouted", async () => {
  const id = fleet.newId();
  const job = { engine: "gone", lane: "interactive", id, type: "gone.x.v1", body: "{}" } as const;
  expect(await context?.publish(job)).toBe("routed");
  const message = await fleet.channel.get(fleet.names.unrouted, { noAck: true });
  expect(message || undefined).toMatchObject({ properties: { messageId: id } });
});

const year = 366 * 86_400_000;
test.each([
  ["no time", {}, "x-run-at is missing"],
  ["seconds", { "x-run-at": 1_900_000_000 }, "x-run-at looks like seconds"],
  ["a text", { "x-run-at": "2027-01-01" }, "x-run-at must be a whole number of epoch milliseconds"],
  ["too far", { "x-run-at": Date.now() + year + 60_000 }, "more than 366 days ahead"],
  ["year 275760", { "x-run-at": 8.64e15 }, "more than 366 days ahead"],
  ["past that", { "x-run-at": 8.64e15 + 1 }, "must be a whole number of epoch milliseconds"],
  ["negative", { "x-run-at": -1 }, "must be a whole number of epoch milliseconds"],
  ["a fraction", { "x-run-at": 1.5 }, "must be a whole number of epoch milliseconds"],
])("%s is refused, and its caller told", async (_what, headers, why) => {
  const id = await publishLater("sleeper", {}, headers);
  const { reply } = await fleet.reply(id);
  expect(reply).toMatchObject({ error: { code: "invalid_input" } });
  expect(JSON.stringify(reply)).toContain(why);
  expect(kept).toEqual([]);
});

test("the type must be of the engine that the routing key names", async () => {
  const headers = { [HEADERS.runAt]: Date.now() + 60_000 };
  const id = await publishLater("another", {}, headers);
  expect(JSON.stringify((await fleet.reply(id)).reply)).toContain("type must be another.<action>");
});

async function userOf(): Promise<{ user: string }> {
  return { user: decodeURIComponent(new URL(fleet.config.AMQP_URL).username) };
}

async function publishLater(
  key: string,
  input: unknown,
  headers: Record<string, unknown>,
  properties: { messageId?: string; timestamp?: number } = {},
): Promise<string> {
  const { messageId = fleet.newId(), timestamp } = properties;
  const { user } = await userOf();
  fleet.channel.publish(fleet.names.later, key, Buffer.from(JSON.stringify(input)), {
    ...{ messageId, type: "sleeper.sleep.v1", contentType: "application/json", headers },
    ...{ userId: user, replyTo: fleet.replyTo, correlationId: messageId, timestamp },
  });
  await fleet.channel.waitForConfirms();
  return messageId;
}
