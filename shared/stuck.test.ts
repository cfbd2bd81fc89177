/** A worker that holds deliveries of which none ends says so, and only then. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestFleet, type TestFleet } from "./testing/fleet.ts";
import { PROBE_LEDGER, probe } from "./testing/probe-engine.ts";
import type { RunningWorker } from "./worker.ts";

const STUCK_AFTER_MS = 1_000;
const HELD = "engine_held_without_end_seconds";

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
  // Without it the probe's own event fails, and comes back while the worker should be idle.
  await fleet.pool.query(PROBE_LEDGER);
});
afterAll(() => fleet?.close());

const get = async ({ healthPort }: RunningWorker, path: string) => {
  const response = await fetch(`http://127.0.0.1:${healthPort}${path}`);
  return { status: response.status, text: await response.text() };
};
async function gauge(worker: RunningWorker): Promise<number> {
  const { text } = await get(worker, "/metrics");
  return Number(new RegExp(`^${HELD}\\{.*\\} (.*)$`, "m").exec(text)?.[1]);
}

test("what is claimed and never ends is told by /readyz and by the gauge, until one ends", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let isBroken = true;
  const worker = await fleet.start(
    probe,
    {},
    {
      stuckAfterMs: STUCK_AFTER_MS,
      parts: (parts) => ({
        ...parts,
        claims: {
          ...parts.claims,
          async claim(...args) {
            if (isBroken) await released;
            return parts.claims.claim(...args);
          },
        },
      }),
    },
  );
  expect(await gauge(worker)).toBe(0);
  const ids = [await fleet.publish("probe", "run", {}), await fleet.publish("probe", "run", {})];
  const said = await fleet.until("a worker that is not ready", () => worker.notReady());
  expect(said).toMatch(/^2 deliveries held, none has ended for 1 s$/);
  expect(await get(worker, "/readyz")).toEqual({ status: 503, text: `${said}\n` });
  expect(await gauge(worker)).toBeGreaterThan(STUCK_AFTER_MS / 1_000);
  isBroken = false;
  release();
  for (const id of ids) await fleet.reply(id);
  await fleet.until("a worker that is ready", () => (worker.notReady() ? undefined : true));
  await expect.poll(() => gauge(worker)).toBe(0);
  await worker.stop();
});

test("one slow job beside others that end is nothing", async () => {
  const worker = await fleet.start(probe, {}, { stuckAfterMs: STUCK_AFTER_MS });
  const slow = await fleet.publish("probe", "run", { do: "wait", waitMs: 2_500 });
  let hasEnded = false;
  const ended = fleet.reply(slow).then(() => {
    hasEnded = true;
  });
  while (!hasEnded) {
    await fleet.reply(await fleet.publish("probe", "run", {}));
    expect(worker.notReady()).toBeUndefined();
    await sleep(100);
  }
  await ended;
  await worker.stop();
});

test("an idle worker stays ready, however long ago its last job ended", async () => {
  const worker = await fleet.start(probe, {}, { stuckAfterMs: 200 });
  await fleet.reply(await fleet.publish("probe", "run", {}));
  await sleep(400);
  expect(worker.notReady()).toBeUndefined();
  expect(await gauge(worker)).toBe(0);
  // A new delivery has its own time, and not that since the last end.
  const next = await fleet.publish("probe", "run", { do: "wait", waitMs: 100 });
  const isAnswered = () => fleet.replies.some(({ correlationId }) => correlationId === next);
  while (!isAnswered()) {
    expect(worker.notReady()).toBeUndefined();
    await sleep(10);
  }
  await worker.stop();
});
