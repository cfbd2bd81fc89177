/** A batch whose connection dies between its handler and its commit: that is no attempt of anybody. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { HEADERS } from "./client/wire.ts";
import { action, defineWorker } from "./define-worker.ts";
import { openTestFleet, type TestFleet } from "./testing/fleet.ts";

const runs: string[] = [];
let doomed = 0;

const doomedBatch = defineWorker({
  name: "doomed",
  concurrency: 8,
  timeoutMs: 5_000,
  actions: {
    run: action({
      version: 1,
      input: z.object({ value: z.string() }),
      output: z.object({ value: z.string() }),
      async handleBatch(jobs, batch) {
        runs.push(...jobs.map(({ id }) => id));
        if (doomed > 0) {
          doomed--;
          const { rows } = await batch.tx.query("select pg_backend_pid() as pid");
          await batch.db.query("select pg_terminate_backend($1)", [rows[0].pid]);
        }
        return jobs.map(({ input }) => input);
      },
    }),
  },
});

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await openTestFleet([doomedBatch]);
  await fleet.start(doomedBatch);
});
afterAll(() => fleet?.close());

test("it runs again, uncounted, as often as that happens", async () => {
  doomed = 6;
  const id = await fleet.publish("doomed", "run", { value: "x" });
  const { reply, headers } = await fleet.reply(id);
  expect(reply).toEqual({ status: "succeeded", output: { value: "x" } });
  expect(headers[HEADERS.attempt]).toBe(1);
  expect(runs.filter((run) => run === id)).toHaveLength(7);
  expect(await fleet.rows(id)).toMatchObject([{ status: "succeeded", attempt: 1 }]);
});
