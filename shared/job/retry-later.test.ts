/** RetryLater through the real tiers: never early, and a delay that is none is an error like any other. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";
import { RetryLater } from "../engine/errors.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";

const ranAtMs: number[] = [];

const later = defineWorker({
  name: "later",
  concurrency: 1,
  timeoutMs: 1_000,
  maxAttempts: 1,
  actions: {
    once: action({
      version: 1,
      input: z.number().nullable(),
      output: z.number(),
      handle(delayMs, job) {
        ranAtMs.push(Date.now());
        if (ranAtMs.length === 1) throw new RetryLater(delayMs ?? Number.NaN);
        return job.attempt;
      },
    }),
  },
});

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await openTestFleet([later]);
  await fleet.start(later);
});
afterAll(() => fleet?.close());

test("a job that asks for 1.2 s is not back before", async () => {
  ranAtMs.length = 0;
  const id = await fleet.publish("later", "once", 1_200);
  expect((await fleet.reply(id)).reply).toEqual({ status: "succeeded", output: 1 });
  const [first = 0, second = 0] = ranAtMs;
  expect(second - first).toBeGreaterThanOrEqual(1_200);
});

test("a delay that is no number is a counted run, and says so", async () => {
  ranAtMs.length = 0;
  const id = await fleet.publish("later", "once", null);
  expect((await fleet.reply(id)).reply).toMatchObject({
    error: {
      code: "attempts_exhausted",
      message: "RetryLater takes a number of milliseconds from 0, not NaN",
    },
  });
});
