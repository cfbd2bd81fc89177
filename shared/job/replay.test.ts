/** A replay of a dead letter runs again over the failure, whatever happens to Postgres under it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { HEADERS } from "../wire/headers.ts";

let outages = 0;

const replayed = defineWorker({
  name: "replayed",
  concurrency: 2,
  timeoutMs: 5_000,
  maxAttempts: 1,
  transactions: 2,
  actions: {
    run: action({
      version: 1,
      input: z.object({}),
      output: z.object({ mended: z.boolean() }),
      async handle(_, job) {
        const tx = await job.tx();
        if (outages === 0) throw new Error("not yet");
        if (outages-- > 1) {
          const { rows } = await tx.query("select pg_backend_pid() as pid");
          await job.db.query("select pg_terminate_backend($1)", [rows[0].pid]);
          await tx.query("select 1");
        }
        return { mended: true };
      },
    }),
  },
});

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await openTestFleet([replayed]);
  await fleet.start(replayed);
});
afterAll(() => fleet?.close());

test("it is not answered with the failure that it replays when Postgres is lost under it", async () => {
  const id = await fleet.publish("replayed", "run", {});
  expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "attempts_exhausted" } });
  outages = 3;
  await fleet.publish("replayed", "run", {}, { messageId: id, headers: { [HEADERS.replay]: 1 } });
  expect((await fleet.reply(id, 2)).reply).toEqual({
    status: "succeeded",
    output: { mended: true },
  });
  expect(await fleet.rows(id)).toMatchObject([{ status: "succeeded", generation: 1 }]);
});
