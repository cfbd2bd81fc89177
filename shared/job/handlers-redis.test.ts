/** Redis for handlers: for those engines alone that say so, or a right that is missing would show only where it is deployed. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";

const schemas = { version: 1, input: z.object({}), output: z.string().nullable() };
const keeping = (name: string, redis?: boolean) =>
  defineWorker({
    name,
    concurrency: 4,
    timeoutMs: 5_000,
    maxAttempts: 1,
    ...(redis !== undefined && { redis }),
    actions: {
      one: action({ ...schemas, handle: (_, job) => job.redis.get(`${job.keyPrefix}own`) }),
      many: action({
        ...schemas,
        handleBatch: (jobs, batch) =>
          Promise.all(jobs.map(() => batch.redis.get(`${batch.keyPrefix}own`))),
      }),
    },
  });
const [asking, silent] = [keeping("asking", true), keeping("silent")];

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await openTestFleet([asking, silent]);
  await fleet.start(asking);
  await fleet.start(silent);
});
afterAll(() => fleet?.close());

test.each(["one", "many"])("%s", async (name) => {
  const asked = await fleet.publish("asking", name, {});
  expect((await fleet.reply(asked)).reply).toEqual({ status: "succeeded", output: null });
  const unasked = await fleet.publish("silent", name, {});
  expect((await fleet.reply(unasked)).reply).toMatchObject({
    error: { code: "attempts_exhausted", message: expect.stringContaining("redis: true") },
  });
});
