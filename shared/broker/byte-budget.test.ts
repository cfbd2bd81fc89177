/** The bytes that a worker holds: what the counting says, and what a real broker's large messages come to. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";
import { openTestFleet } from "../testing/fleet.ts";
import { ByteBudget, weightOf } from "./byte-budget.ts";

function budget(maxBytes: number) {
  const told = { onFull: vi.fn(), onRoom: vi.fn(), onSmaller: vi.fn() };
  return { held: new ByteBudget({ maxBytes, ...told }), ...told };
}

test("what fits is held, what does not is told once, and there is room at half", () => {
  const { held, onFull, onRoom } = budget(100);
  expect([held.take(40), held.take(60), held.take(1), held.take(1)]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(onFull).toHaveBeenCalledTimes(1);
  held.release(40);
  expect([onRoom.mock.calls.length, held.isFull]).toEqual([0, true]);
  held.release(60);
  expect([onRoom.mock.calls.length, held.isFull, held.heldBytes]).toEqual([1, false, 0]);
});

test("a body larger than all is taken alone", () => {
  const { held } = budget(100);
  expect([held.take(500), held.take(0), held.take(1)]).toEqual([true, false, false]);
});

test("as many are asked for as fit, and all again once they are smaller", () => {
  const { held, onSmaller } = budget(100);
  expect(held.prefetch(64)).toBe(64);
  held.take(30);
  held.release(30);
  expect(held.prefetch(64)).toBe(3);
  for (let count = 0; count < 64; count++) {
    held.take(1);
    held.release(1);
  }
  expect(onSmaller).toHaveBeenCalledTimes(1);
  expect(held.prefetch(64)).toBeGreaterThan(30);
});

test("a queue that has no limit of its own does not lift another's", () => {
  const { held, onSmaller } = budget(100);
  held.take(30);
  held.release(30);
  expect([held.prefetch(64), held.prefetch(2)]).toEqual([3, 2]);
  for (let count = 0; count < 64; count++) {
    held.take(1);
    held.release(1);
  }
  expect(onSmaller).toHaveBeenCalledTimes(1);
});

test("a body of many objects counts for what they will take, one of few for its length", () => {
  const text = (body: string) => Buffer.from(body);
  expect(weightOf(text("{}"))).toBe(2);
  expect(weightOf(text(`["${"x".repeat(100_000)}"]`))).toBe(100_004);
  expect(weightOf(text(`[${"{},".repeat(99_999)}{}]`))).toBe(1_600_016);
});

test.each([
  ["MAX_HELD_BYTES", {}, { MAX_HELD_BYTES: "1048576" }],
  ["its definition", { maxHeldBytes: 1_048_576 }, {}],
])(
  "as %s says, large jobs are held a few at a time, all end at their first attempt, and small ones are as quick again",
  async (_, own, env) => {
    const BYTES = 400_000;
    const running = { now: 0, most: 0 };
    const eats = defineWorker({
      name: "eats",
      ...own,
      concurrency: 32,
      timeoutMs: 20_000,
      actions: {
        run: action({
          version: 1,
          input: z.object({ text: z.string() }),
          output: z.object({ attempt: z.int() }),
          async handle(_input, job) {
            running.most = Math.max(running.most, ++running.now);
            await sleep(20);
            running.now--;
            return { attempt: job.attempt };
          },
        }),
      },
    });
    const fleet = await openTestFleet([eats]);
    const publish = (count: number, text: string) =>
      Promise.all(Array.from({ length: count }, () => fleet.publish("eats", "run", { text })));
    const endOf = async (id: string) => (await fleet.reply(id)).reply;
    try {
      const large = await publish(40, "x".repeat(BYTES));
      await fleet.start(eats, env);
      for (const id of large) expect(await endOf(id)).toMatchObject({ output: { attempt: 1 } });
      expect(running.most).toBeLessThanOrEqual(2);
      running.most = 0;
      for (const id of await publish(400, "x"))
        expect(await endOf(id)).toMatchObject({ output: { attempt: 1 } });
      expect(running.most).toBeGreaterThan(2);
    } finally {
      await fleet.close();
    }
  },
);

test("the bodies of a batch come to no more than one job's may", async () => {
  const BYTES = 300_000;
  const batches: number[] = [];
  const packs = defineWorker({
    name: "packs",
    concurrency: 32,
    timeoutMs: 20_000,
    actions: {
      run: action({
        version: 1,
        input: z.object({ text: z.string() }),
        output: z.object({}),
        maxInputBytes: 1_000_000,
        async handleBatch(jobs) {
          batches.push(jobs.reduce((sum, { input }) => sum + input.text.length, 0));
          await sleep(20);
          return jobs.map(() => ({}));
        },
      }),
    },
  });
  const fleet = await openTestFleet([packs]);
  try {
    const input = { text: "x".repeat(BYTES) };
    const ids = await Promise.all(
      Array.from({ length: 24 }, () => fleet.publish("packs", "run", input)),
    );
    await fleet.start(packs);
    for (const id of ids) expect((await fleet.reply(id)).reply.status).toBe("succeeded");
    expect(Math.max(...batches)).toBeLessThanOrEqual(1_000_000);
    expect(Math.max(...batches)).toBeGreaterThan(BYTES);
  } finally {
    await fleet.close();
  }
});
