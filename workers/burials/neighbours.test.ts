/** Jobs that the broker's delivery limit took: those that never ran have their turn, and what comes a second time is buried. */
import { openConnection } from "@tl-engine/shared/broker/connection";
import { openTestFleet, type TestFleet } from "@tl-engine/shared/testing/fleet";
import { probe, runs } from "@tl-engine/shared/testing/probe-engine";
import { HEADERS } from "@tl-engine/shared/wire/headers";
import { afterAll, beforeAll, expect, test } from "vitest";
import burials from "./index.ts";

const JOBS = 5;

let fleet: TestFleet;
let queue: string;

beforeAll(async () => {
  fleet = await openTestFleet([probe, burials]);
  queue = fleet.names.queue("probe");
  // As the fleet's, but for the limit, which takes 2,000 deliveries otherwise.
  await fleet.channel.deleteQueue(queue);
  await fleet.channel.assertQueue(queue, {
    durable: true,
    arguments: {
      "x-queue-type": "quorum",
      "x-delivery-limit": 1,
      "x-dead-letter-exchange": fleet.names.burials,
      "x-dead-letter-strategy": "at-least-once",
      "x-overflow": "reject-publish",
    },
  });
  await fleet.channel.bindQueue(queue, fleet.names.jobs, "probe");
  await fleet.start(burials);
});
afterAll(() => fleet?.close());

/** A consumer that holds as many messages and is gone, again and again, until the broker's limit takes them. */
async function crashUntilTaken(count: number): Promise<void> {
  for (let deliveries = 0; deliveries < 2; deliveries++) {
    const { model } = await openConnection(fleet.config, "crashing");
    const channel = await model.createChannel();
    const { promise: held, resolve } = Promise.withResolvers<void>();
    let left = count;
    await channel.consume(queue, () => {
      if (--left === 0) resolve();
    });
    await held;
    await model.close();
  }
}

const publish = (headers = {}) => fleet.publish("probe", "run", { value: "x" }, { headers });

test("neighbours that never ran are run, with what they carried", async () => {
  const ids = await Promise.all(Array.from({ length: JOBS }, () => publish({ "x-attempt": 2 })));
  await crashUntilTaken(JOBS);
  const worker = await fleet.start(probe);
  for (const id of ids) {
    expect((await fleet.reply(id)).reply).toMatchObject({
      status: "succeeded",
      output: { value: "x", attempt: 2 },
    });
    expect(runs.get(id)).toBe(1);
  }
  expect(await fleet.deadLetters("probe")).toEqual([]);
  await worker.stop();
});

test("the second time it is over: the job that is taken again is quarantined", async () => {
  const id = await publish();
  await crashUntilTaken(1);
  await crashUntilTaken(1);
  expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "quarantined" } });
  const [letter] = await fleet.until("its dead letter", async () => {
    const letters = await fleet.deadLetters("probe");
    return letters.length > 0 ? letters : undefined;
  });
  expect(letter?.id).toBe(id);
});

test("a job with a crash on record is quarantined at once", async () => {
  const id = await publish({ [HEADERS.crashes]: 1 });
  await crashUntilTaken(1);
  expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "quarantined" } });
});
