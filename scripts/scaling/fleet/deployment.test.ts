/** Pods of a Deployment, as real processes that obey, ignore or die. */
import { afterEach, expect, test, vi } from "vitest";
import { startWorkerProcess, type WorkerProcess } from "../../../shared/services/worker-process.ts";
import { createBackoff } from "./crash-backoff.ts";
import { createDeployment, type Deployment } from "./deployment.ts";

const OBEYS = "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1e6)";
const IGNORES = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6)";
const DIES = "process.exit(7)";

let deployment: Deployment | undefined;
let events: string[] = [];
let badDrains: string[] = [];
let started: WorkerProcess[] = [];
/** They listen to signals by now. */
const allReady = () => Promise.all(started.map(({ ready }) => ready));
afterEach(async () => {
  deployment?.kill();
  await deployment?.stop();
});

function deploy(code: string, graceMs = 30_000) {
  events = [];
  badDrains = [];
  started = [];
  deployment = createDeployment({
    name: "e",
    graceMs,
    onEvent: (text) => events.push(text),
    onBadDrain: (pod, how) => badDrains.push(`${pod} ${how}`),
    start() {
      const args = ["-e", `${code}; console.log('{"msg":"ready"}')`];
      const it = startWorkerProcess({ args, output: () => {} });
      started.push(it);
      return it;
    },
  });
  return deployment;
}

const until = (look: () => unknown) =>
  vi.waitFor(() => expect(look()).toBeTruthy(), { timeout: 20_000, interval: 20 });
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test("scales up, and drains the youngest first", async () => {
  const it = deploy(OBEYS);
  it.scale(3);
  expect(it.pods).toEqual({ running: 3, draining: 0, crashLooping: 0 });
  const [oldest = 0] = it.pids;
  await allReady();
  it.scale(1);
  expect(it.pods).toEqual({ running: 1, draining: 2, crashLooping: 0 });
  await until(() => it.pods.draining === 0);
  expect(it.pids).toEqual([oldest]);
  expect(it.totals).toEqual({ started: 3, crashed: 0, killed: 0 });
  expect(badDrains).toEqual([]);
});

test("what ignores SIGTERM is killed after the grace period", async () => {
  const it = deploy(IGNORES, 300);
  it.scale(1);
  const [pid = 0] = it.pids;
  await allReady();
  it.scale(0);
  await until(() => it.pods.draining === 0);
  expect(isAlive(pid)).toBe(false);
  expect(it.totals.killed).toBe(1);
  expect(events).toContain("e-1 is killed after 0.3 s");
  expect(badDrains).toEqual(["e-1 by SIGKILL"]);
});

test("a pod that is killed starts again at once, under its name", async () => {
  const it = deploy(OBEYS);
  it.scale(1);
  const [pid = 0] = it.pids;
  process.kill(pid, "SIGKILL");
  await until(() => it.pids.length === 1 && it.pids[0] !== pid);
  expect(events).toContain("e-1 ended by SIGKILL, starts again at once");
  expect(it.totals).toEqual({ started: 1, crashed: 1, killed: 0 });
});

test("one that dies again and again waits, and is the first to go", async () => {
  const it = deploy(DIES);
  it.scale(1);
  await until(() => it.pods.crashLooping === 1 && it.totals.crashed === 2);
  expect(events).toContain("e-1 ended with status 7, starts again in 10 s (CrashLoopBackOff)");
  it.scale(0);
  expect(it.pods).toEqual({ running: 0, draining: 0, crashLooping: 0 });
});

test("a program that can't be started is a crash", async () => {
  const crashes: string[] = [];
  deployment = createDeployment({
    name: "e",
    graceMs: 1_000,
    onEvent: () => {},
    onCrash: (pod, how) => crashes.push(`${pod} ${how}`),
    start: () => startWorkerProcess({ file: "/does/not/exist", args: [], output: "ignore" }),
  });
  deployment.scale(1);
  await until(() => crashes.length > 1);
  expect(crashes[0]).toMatch(/^e-1 before it started: .*ENOENT/);
});

test("stop drains all and waits for them", async () => {
  const it = deploy(OBEYS);
  it.scale(2);
  const { pids } = it;
  await allReady();
  await it.stop();
  expect(pids.some(isAlive)).toBe(false);
  await it.stop();
});

test("the backoff: at once, 10 s, doubling to 5 min, forgiven after 10 min of life", () => {
  const backoff = createBackoff();
  const delays = Array.from({ length: 8 }, () => backoff.delayMs(1_000) / 1_000);
  expect(delays).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
  expect(backoff.delayMs(600_000)).toBe(0);
  expect(backoff.delayMs(0)).toBe(10_000);
});
