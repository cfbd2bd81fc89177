/** Batches: one whose connection dies before its commit is nobody's attempt, and none outlives its end. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { HEADERS } from "../wire/headers.ts";

const runs: string[] = [];
const signals: WeakRef<AbortSignal>[] = [];
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
        signals.push(new WeakRef(batch.signal));
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

test("one whose connection dies before its commit runs again, uncounted, as often as that happens", async () => {
  doomed = 6;
  const id = await fleet.publish("doomed", "run", { value: "x" });
  const { reply, headers } = await fleet.reply(id);
  expect(reply).toEqual({ status: "succeeded", output: { value: "x" } });
  expect(headers[HEADERS.attempt]).toBe(1);
  expect(runs.filter((run) => run === id)).toHaveLength(7);
  expect(await fleet.rows(id)).toMatchObject([{ status: "succeeded", attempt: 1 }]);
});

test("what a batch held is let go at its end", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const ids: string[] = [];
  for (let i = 0; i < 20; i++) {
    ids.push(await fleet.publish("doomed", "run", { value: "x" }));
    await fleet.reply(ids[i] as string);
  }
  const held = () => signals.filter((signal) => signal.deref() !== undefined).length;
  expect(signals.length).toBeGreaterThanOrEqual(20);
  // The latest may still be on a stack or in a register.
  await fleet.until("the signals are collected", () => {
    collect();
    return held() <= 2 ? true : undefined;
  });
});
