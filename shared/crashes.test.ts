/** A job that kills its worker is quarantined, alone; those that were with it finish unharmed. Also leases, cancellation, drain. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Claims } from "./client/claims.ts";
import { openTestFleet, type TestFleet } from "./testing/fleet.ts";
import { PROBE_LEDGER, probe } from "./testing/probe-engine.ts";

let fleet: TestFleet;
const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const KILLER = fileURLToPath(new URL("./testing/killer-engine.ts", import.meta.url));

beforeAll(async () => {
  const { default: killer } = await import("./testing/killer-engine.ts");
  fleet = await openTestFleet([probe, killer]);
  await fleet.pool.query(PROBE_LEDGER);
});
afterAll(() => fleet?.close());

const openClaims = () => Claims.open(fleet.config.REDIS_URL, fleet.names.prefix, () => {});

/** Starts the worker again whenever it dies, as Kubernetes would. */
function keepAlive(path: string): { starts(): number; stop(): Promise<void> } {
  let starts = 0;
  let stopping = false;
  let child: ChildProcess;
  const start = () => {
    starts++;
    child = spawn(process.execPath, [MAIN, path], {
      env: {
        ...process.env,
        ENGINE_PREFIX: fleet.config.ENGINE_PREFIX,
        HEALTH_PORT: "0",
        LOG_LEVEL: "silent",
        LEASE_MS: "1000",
      },
      stdio: "ignore",
    });
    child.once("exit", () => stopping || start());
  };
  start();
  return {
    starts: () => starts,
    async stop() {
      stopping = true;
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
    },
  };
}

test("the culprit of repeated crashes is quarantined, and only it", async () => {
  const neighbours = await Promise.all(
    Array.from({ length: 20 }, (_, n) => fleet.publish("killer", "run", { kill: false, n })),
  );
  const culprit = await fleet.publish("killer", "run", { kill: true, n: 0 });
  const worker = keepAlive(KILLER);
  const { reply } = await fleet
    .until(
      "the culprit's reply",
      () => fleet.replies.some(({ correlationId }) => correlationId === culprit) || undefined,
      60_000,
    )
    .then(() => fleet.reply(culprit));
  expect(reply).toMatchObject({ status: "failed", error: { code: "quarantined" } });
  for (const id of neighbours) expect((await fleet.reply(id)).reply.status).toBe("succeeded");
  // Two crashes among others, two alone.
  expect(worker.starts()).toBe(5);
  expect((await fleet.deadLetters("killer")).map(({ id }) => id)).toEqual([culprit]);
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
  expect((await fleet.reply(id)).reply.status).toBe("succeeded");
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
