/** Several copies of one job: each one's caller is answered, whatever became of the others. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";

let fleet: TestFleet;
/** Resolves the runs that wait, in order. */
const waiting: (() => void)[] = [];
let holds = true;

const held = defineWorker({
  name: "held",
  concurrency: 4,
  timeoutMs: 3_000,
  maxAttempts: 3,
  transactions: 1,
  actions: {
    run: action({
      version: 1,
      input: z.object({ fails: z.number() }),
      output: z.object({ attempt: z.number() }),
      async handle({ fails }, job) {
        if (holds)
          await new Promise<void>((resolve, reject) => {
            waiting.push(resolve);
            job.signal.addEventListener("abort", () => reject(job.signal.reason));
          });
        if (job.attempt <= fails) throw new Error("as told");
        return { attempt: job.attempt };
      },
    }),
  },
});

beforeAll(async () => {
  fleet = await openTestFleet([held]);
});
afterAll(() => fleet?.close());

async function listen(name: string): Promise<{ queue: string; replies: string[] }> {
  const queue = `${fleet.names.prefix}x.replies.${name}`;
  await fleet.channel.assertQueue(queue, { durable: true, arguments: { "x-expires": 600_000 } });
  const replies: string[] = [];
  await fleet.channel.consume(
    queue,
    (message) => message && replies.push(message.content.toString()),
    { noAck: true },
  );
  return { queue, replies };
}

test("two callers of one id, both copies handed back once, a first attempt that fails", async () => {
  const [a, b] = [await listen("a"), await listen("b")];
  const id = fleet.newId();
  const first = await fleet.start(held, { LEASE_MS: "1000" });
  await fleet.publish("held", "run", { fails: 1 }, { messageId: id, replyTo: a.queue });
  await fleet.until("it runs", () => (waiting.length > 0 ? true : undefined));
  await fleet.publish("held", "run", { fails: 1 }, { messageId: id, replyTo: b.queue });
  // Back to the queue, both of them, with the broker's mark of a redelivery.
  await first.stop();
  holds = false;
  await fleet.start(held, { LEASE_MS: "1000" });
  for (const { replies } of [a, b]) {
    await fleet.until("its reply", () => replies[0]);
    expect(JSON.parse(replies[0] as string)).toMatchObject({ status: "succeeded" });
  }
  expect(new Set([...a.replies, ...b.replies]).size).toBe(1);
  expect(await fleet.rows(id)).toHaveLength(1);
}, 120_000);
