/** The engine's own variables reach its handlers, as its schema reads them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";

const schemas = { version: 1, input: z.object({}), output: z.json() };
const reading = defineWorker({
  name: "reading",
  concurrency: 4,
  timeoutMs: 5_000,
  maxAttempts: 1,
  env: z.object({ READING_MONTHS: z.coerce.number().default(24) }),
  actions: {
    one: action({ ...schemas, handle: (_, job) => job.env }),
    many: action({ ...schemas, handleBatch: (jobs, batch) => jobs.map(() => batch.env) }),
  },
});

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await openTestFleet([reading]);
  await fleet.start(reading, { READING_MONTHS: "3" });
});
afterAll(() => fleet?.close());

test.each(["one", "many"])("a handler finds its engine's variables: %s", async (name) => {
  const { reply } = await fleet.reply(await fleet.publish("reading", name, {}));
  expect(reply).toEqual({ status: "succeeded", output: { READING_MONTHS: 3 } });
});
