/** Messages that no library would send, among good ones: each has its end, and its neighbours theirs, in a worker and in burials. */
import type { WorkerDefinition } from "@tl-engine/shared";
import {
  field,
  long,
  nested,
  publishRaw,
  type RawMessage,
} from "@tl-engine/shared/client/testing/raw-publish";
import { openTestFleet, type TestFleet } from "@tl-engine/shared/testing/fleet";
import { probe as chained } from "@tl-engine/shared/testing/probe-engine";
import { afterAll, beforeAll, expect, test } from "vitest";
import burials from "./index.ts";

/** Without its subscription, or its own event would wait at the head of the queue. */
const probe: WorkerDefinition = { ...chained, on: {} };
const ODD_BYTES = Buffer.alloc(100, 0xff);

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await openTestFleet([probe, burials]);
});
afterAll(() => fleet?.close());

function odd(more: Partial<RawMessage> = {}): RawMessage {
  const id = Buffer.from(fleet.newId());
  return {
    headers: Buffer.alloc(0),
    correlationId: id,
    messageId: id,
    type: "probe.run.v1",
    body: {},
    ...more,
  };
}

/** Good jobs around the odd ones; resolves with their ids once everything was published. */
async function among(messages: RawMessage[]): Promise<string[]> {
  const good = () => fleet.publish("probe", "run", { value: "good" });
  const before = await Promise.all(Array.from({ length: 25 }, good));
  await publishRaw(fleet.config.AMQP_URL, fleet.names.jobs, "probe", messages);
  const after = await Promise.all(Array.from({ length: 25 }, good));
  return [...before, ...after];
}

async function succeeded(ids: string[]): Promise<void> {
  for (const id of ids)
    expect((await fleet.reply(id)).reply).toMatchObject({ status: "succeeded" });
}

async function letters(count: number, engine: string) {
  const found: Awaited<ReturnType<TestFleet["deadLetters"]>> = [];
  return fleet.until(`${count} dead letters of ${engine}`, async () => {
    found.push(...(await fleet.deadLetters(engine)));
    return found.length >= count ? found : undefined;
  });
}

/** What grows as it is dead-lettered, past what a frame holds: the broker says in x-death where it was. */
const ALMOST_A_FRAME = 130_900;

const ODDITIES: [string, (number: number) => Partial<RawMessage>, number][] = [
  ["5,000 nested tables", () => ({ headers: nested(5_000) }), 1],
  [
    "headers as large as a frame",
    () => ({ headers: field("x", "S", long(Buffer.alloc(ALMOST_A_FRAME, "x"))) }),
    3,
  ],
  ["correlation ids that are no UTF-8", () => ({ correlationId: ODD_BYTES }), 64],
  [
    "other properties that are no UTF-8",
    (number) => ({
      type: ODD_BYTES,
      ...(number % 2 === 0 && { contentType: ODD_BYTES }),
      ...(number % 3 === 0 && { replyTo: ODD_BYTES }),
      ...(number % 5 === 0 && { messageId: ODD_BYTES }),
    }),
    64,
  ],
];

test.each(ODDITIES)("a worker: %s among 50 good jobs", async (what, some, count) => {
  const worker = await fleet.start(probe);
  const good = await among(Array.from({ length: count }, (_, n) => odd(some(n))));
  await succeeded(good);
  // These are good jobs, which run.
  const runs = what.startsWith("correlation") || what.startsWith("headers");
  if (!runs) expect(await letters(count, "probe")).toHaveLength(count);
  await fleet.until("an empty queue", async () => {
    const { messageCount } = await fleet.channel.checkQueue(fleet.names.queue("probe"));
    return messageCount === 0 ? true : undefined;
  });
  expect(worker.notReady()).toBeUndefined();
  const metrics = await (await fetch(`http://127.0.0.1:${worker.healthPort}/metrics`)).text();
  const undecodable = what.includes("nested") ? count : 0;
  expect(metrics).toMatch(new RegExp(`^engine_undecodable_total\\{.*\\} ${undecodable}$`, "m"));
  await worker.stop();
});

test.each(ODDITIES)("burials: %s among others that expired", async (_, some, count) => {
  const worker = await fleet.start(burials);
  const late = await Promise.all(
    Array.from({ length: 25 }, () => fleet.publish("probe", "run", {}, { expiration: "1" })),
  );
  const messages = Array.from({ length: count }, (_, n) => odd({ ...some(n), expiration: "1" }));
  await publishRaw(fleet.config.AMQP_URL, fleet.names.jobs, "probe", messages);
  for (const id of late)
    expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "expired" } });
  const ends = async () => [
    ...(await fleet.deadLetters("probe")),
    ...(await fleet.deadLetters("burials")),
  ];
  const found: Awaited<ReturnType<typeof ends>> = [];
  await fleet.until("all dead letters", async () => {
    found.push(...(await ends()));
    return found.length === count + late.length ? true : undefined;
  });
  await worker.stop();
});
