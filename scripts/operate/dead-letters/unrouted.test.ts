/** Jobs that came before their engine: kept, shown, and run once it is there, as the jobs that they were. */
import { action, defineWorker } from "@tl-engine/shared";
import { openConnection } from "@tl-engine/shared/broker/connection";
import { openPublisher, type Publisher } from "@tl-engine/shared/broker/publish";
import { declareTopology, topologyOf } from "@tl-engine/shared/broker/topology";
import { createLog } from "@tl-engine/shared/process/log";
import { HEADERS } from "@tl-engine/shared/wire/headers";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { openTestFleet, type TestFleet } from "../../../shared/testing/fleet.ts";
import type { Selection } from "./selection.ts";
import { listUnrouted, replayUnrouted } from "./unrouted.ts";

const engine = (name: string) =>
  defineWorker({
    name,
    concurrency: 4,
    timeoutMs: 3_000,
    actions: {
      run: action({
        version: 1,
        input: z.object({ value: z.string() }),
        output: z.object({ value: z.string(), attempt: z.number() }),
        handle: ({ value }, { attempt }) => ({ value, attempt }),
      }),
    },
  });
const [here, late] = [engine("here"), engine("late")];

let fleet: TestFleet;
let publisher: Publisher;
let broker: string;

beforeAll(async () => {
  // All of its queues are known, so that they are removed in the end; those of `late` are not there at first.
  fleet = await openTestFleet([here, late]);
  broker = new URL(fleet.config.AMQP_URL).username || "guest";
  publisher = await openPublisher(fleet.config, "test", createLog({}, "silent"));
});
afterEach(() => fleet.channel.purgeQueue(fleet.names.unrouted));
afterAll(async () => {
  await publisher?.close();
  await fleet?.close();
});

async function takeAway() {
  for (const lane of ["interactive", "bulk"] as const)
    await fleet.channel.deleteQueue(fleet.names.queue("late", lane));
}
const declare = async () => {
  const { model, profile } = await openConnection(fleet.config, "test");
  await declareTopology(model, topologyOf([here, late], fleet.names, profile));
  await model.close();
};
const replay = (selection: Selection = {}, dryRun = false, by = publisher) =>
  replayUnrouted(fleet, by, {
    ...{ names: fleet.names, selection, dryRun, runtimeUsers: new Set(["tools"]) },
  });
const list = () => listUnrouted(fleet, { names: fleet.names, limit: 10 });
const waiting = (count: number) =>
  fleet.until(`${count} unrouted jobs`, async () => {
    const listed = await list();
    return listed.letters.length === count ? listed : undefined;
  });

test("a job runs once its engine is declared, in its lane, as its publisher's, and is told as one that waits until then", async () => {
  await takeAway();
  const appId = "early-bird";
  const soon = await fleet.publish("late", "run", { value: "a" }, { appId });
  const bulk = await fleet.publish("late", "run", { value: "b" }, { lane: "bulk" });
  const never = await fleet.publish("typo", "run", { value: "c" });
  const listed = await waiting(3);
  expect(listed).toMatchObject({ routed: [], letters: [{ id: soon, appId }, { id: bulk }, {}] });
  expect(listed.groups.map(({ of }) => of).toSorted()).toEqual(["late", "late.bulk", "typo"]);
  expect(await replay()).toMatchObject({
    replayed: [],
    left: [{ id: soon, why: expect.stringContaining('"late"') }, { id: bulk }, { id: never }],
  });

  await declare();
  await fleet.start(late);
  expect((await list()).routed.toSorted()).toEqual(["late", "late.bulk"]);
  expect(await replay({}, true)).toMatchObject({ replayed: [soon, bulk], left: [{ id: never }] });
  expect((await waiting(3)).letters.map(({ id }) => id)).toEqual([soon, bulk, never]);

  expect(await replay({ id: bulk })).toMatchObject({ replayed: [bulk], left: [] });
  expect(await replay()).toMatchObject({ replayed: [soon], left: [{ id: never }] });
  for (const id of [soon, bulk]) {
    const { reply } = await fleet.reply(id);
    expect(reply).toMatchObject({ status: "succeeded", output: { attempt: 1 } });
    expect(await fleet.rows(id)).toMatchObject([{ publisher: broker, generation: 0 }]);
  }
  expect(await fleet.rows(soon)).toMatchObject([{ app_id: appId }]);
  await waiting(1);
});

test("what its sender may not say is not passed on with our word, and its deadline is", async () => {
  const headers = {
    [HEADERS.attempt]: 7,
    [HEADERS.publisher]: "somebody-else",
    [HEADERS.deadline]: Date.now() - 1,
  };
  await fleet.channel.unbindQueue(fleet.names.queue("here"), fleet.names.jobs, "here");
  const id = await fleet.publish("here", "run", { value: "x" }, { headers });
  await waiting(1);
  await fleet.channel.bindQueue(fleet.names.queue("here"), fleet.names.jobs, "here");
  expect(await replay()).toMatchObject({ replayed: [id] });
  const message = await fleet.until("the job", async () => {
    const got = await fleet.channel.get(fleet.names.queue("here"), { noAck: true });
    return got === false ? undefined : got;
  });
  expect(message.properties.headers).toMatchObject({
    ...{ [HEADERS.publisher]: broker, [HEADERS.deadline]: headers[HEADERS.deadline] },
  });
  expect(message.properties.headers).not.toHaveProperty(HEADERS.attempt);
});

test("a queue without its binding does not make it publish for ever", async () => {
  await fleet.channel.unbindQueue(fleet.names.queue("here"), fleet.names.jobs, "here");
  const id = await fleet.publish("here", "run", { value: "x" });
  await waiting(1);
  const { left } = await replay();
  // At once, or in the next run: the broker says when it lies there again.
  for (const letter of left)
    expect(letter).toEqual({ id, why: expect.stringContaining("no binding leads") });
  await waiting(1);
  await fleet.channel.bindQueue(fleet.names.queue("here"), fleet.names.jobs, "here");
});

test("a crash between publish and ack leaves the job, and both of its messages are one job", async () => {
  await fleet.start(here);
  await fleet.channel.unbindQueue(fleet.names.queue("here"), fleet.names.jobs, "here");
  const id = await fleet.publish("here", "run", { value: "x" });
  await waiting(1);
  await fleet.channel.bindQueue(fleet.names.queue("here"), fleet.names.jobs, "here");
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
    replayUnrouted(doomed, crashing, { names: fleet.names, runtimeUsers: new Set() }),
  ).rejects.toThrow();
  await waiting(1);
  await fleet.reply(id);
  expect(await replay()).toMatchObject({ replayed: [id] });
  const [first, second] = [await fleet.reply(id), await fleet.reply(id, 2)];
  expect([second.id, second.text]).toEqual([first.id, first.text]);
  expect(await fleet.rows(id)).toHaveLength(1);
});
