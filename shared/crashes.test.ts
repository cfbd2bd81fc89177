/** A job that kills its worker is quarantined, alone; those that were with it finish unharmed. Also leases, cancellation, drain. */

import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { brokerUserOf } from "./broker/address.ts";
import { Claims } from "./client/claims.ts";
import {
  type KeptWorker,
  keepRunning,
  startWorkerProcess,
  workerArgs,
} from "./services/worker-process.ts";
import { openTestFleet, type TestFleet } from "./testing/fleet.ts";
import { PROBE_LEDGER, probe, runs } from "./testing/probe-engine.ts";

let fleet: TestFleet;
const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));
const KILLER = fileURLToPath(new URL("./testing/killer-engine.ts", import.meta.url));

beforeAll(async () => {
  const { default: killer } = await import("./testing/killer-engine.ts");
  fleet = await openTestFleet([probe, killer]);
  await fleet.pool.query(PROBE_LEDGER);
});
afterAll(() => fleet?.close());

const openClaims = () => {
  const { REDIS_URL, AMQP_URL, ENGINE_PREFIX: prefix } = fleet.config;
  return Claims.open(REDIS_URL, { prefix, publisher: brokerUserOf(AMQP_URL) }, () => {});
};

/** Starts the worker again whenever it dies, as Kubernetes would, until the test ends, however it does. */
function keepAlive(path: string): KeptWorker {
  const kept = keepRunning({
    start: () =>
      startWorkerProcess({
        args: workerArgs(path),
        cwd: REPOSITORY,
        env: { ...process.env, ...fleet.env, LEASE_MS: "1000" },
        output: "ignore",
      }),
    restartInMs: () => 0,
  });
  onTestFinished(async () => void (await kept.stop(0)));
  return kept;
}

test("the culprit of repeated crashes is quarantined, and only it", async () => {
  const neighbours = await Promise.all(
    Array.from({ length: 20 }, (_, n) => fleet.publish("killer", "run", { kill: false, n })),
  );
  const culprit = await fleet.publish("killer", "run", { kill: true, n: 0 });
  const worker = keepAlive(KILLER);
  const { reply } = await fleet.reply(culprit);
  expect(reply).toMatchObject({ status: "failed", error: { code: "quarantined" } });
  for (const id of neighbours) expect((await fleet.reply(id)).reply.status).toBe("succeeded");
  // Two crashes among others, two alone.
  expect(worker.starts).toBe(5);
  expect((await fleet.deadLetters("killer")).map(({ id }) => id)).toEqual([culprit]);
  await worker.stop();
}, 90_000);

test("jobs that only together are too much are nobody's crash: each runs alone, and succeeds", async () => {
  const ids = await Promise.all(
    Array.from({ length: 16 }, () => fleet.publish("killer", "crowd", {})),
  );
  const worker = keepAlive(KILLER);
  for (const id of ids) expect((await fleet.reply(id)).reply.status).toBe("succeeded");
  expect(worker.starts).toBe(3);
  expect(await fleet.deadLetters("killer")).toEqual([]);
  await worker.stop();
}, 90_000);

test("a cancelled job's handler is aborted at once, and the job ends as cancelled", async () => {
  const worker = await fleet.start(probe);
  const claims = await openClaims();
  const id = await fleet.publish("probe", "run", { do: "wait", waitMs: 10_000 });
  await fleet.until("the claim", async () =>
    (await claims.read("probe", id)).state === "running" ? true : undefined,
  );
  const cancelledAt = Date.now();
  await claims.cancel("probe", id);
  expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "cancelled" } });
  expect(Date.now() - cancelledAt).toBeLessThan(1_000);

  const waiting = fleet.newId();
  await claims.cancel("probe", waiting);
  await fleet.publish("probe", "run", {}, { messageId: waiting, correlationId: waiting });
  expect((await fleet.reply(waiting)).reply).toMatchObject({ error: { code: "cancelled" } });
  await claims.close();
  await worker.stop();
});

test("a job longer than its lease keeps it, and its progress can be read", async () => {
  const first = await fleet.start(probe, { LEASE_MS: "1000" });
  const second = await fleet.start(probe, { LEASE_MS: "1000" });
  const claims = await openClaims();
  const id = await fleet.publish("probe", "run", { do: "wait", waitMs: 2_500 });
  const progress = await fleet.until(
    "progress",
    async () => (await claims.read("probe", id)).progress,
  );
  expect(progress).toMatchObject({ note: "waiting", fraction: expect.any(Number) });
  // The same job once more: whoever has it would run it as soon as the lease ran out.
  await fleet.publish(
    "probe",
    "run",
    { do: "wait", waitMs: 2_500 },
    { messageId: id, correlationId: id },
  );
  expect((await fleet.reply(id, 2)).reply).toMatchObject({ output: { attempt: 1 } });
  expect(runs.get(id)).toBe(1);
  await claims.close();
  await Promise.all([first.stop(), second.stop()]);
});

test("a job that runs when the worker is told to stop is finished first", async () => {
  const worker = await fleet.start(probe);
  const claims = await openClaims();
  const id = await fleet.publish("probe", "run", { do: "wait", waitMs: 1_000 });
  await fleet.until("the claim", async () =>
    (await claims.read("probe", id)).state === "running" ? true : undefined,
  );
  await worker.stop();
  expect((await fleet.reply(id)).reply).toMatchObject({ output: { attempt: 1 } });
  await claims.close();
});
