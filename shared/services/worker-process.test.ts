/** Processes that obey, ignore or die: when they are ready, how they end, and what is started again. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { keepRunning, startWorkerProcess } from "./worker-process.ts";

const READY = `console.log('{"msg":"ready"}');`;
const OBEYS = `process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1e6); ${READY}`;
const IGNORES = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6); ${READY}`;

function start(code: string, lines: string[] = []) {
  const it = startWorkerProcess({ args: ["-e", code], output: (line) => lines.push(line) });
  onTestFinished(() => it.signal("SIGKILL"));
  return it;
}

test("it is ready when it says so, and its lines come from both of its outputs", async () => {
  const lines: string[] = [];
  const it = start(`console.error('first'); ${OBEYS}`, lines);
  expect(await it.ready).toBeGreaterThan(0);
  expect(it.running).toBe(true);
  expect(await it.stop()).toMatchObject({ code: 0, how: "with status 0", killed: false });
  expect(lines.toSorted()).toEqual(["first", '{"msg":"ready"}'].toSorted());
  expect(it.running).toBe(false);
  // Stopping what has ended only says how.
  expect(await it.stop(10)).toMatchObject({ code: 0, killed: false });
});

test("a line is what its worker wrote as one, also with what other readers break lines at", async () => {
  const lines: string[] = [];
  const it = start('process.stdout.write(\'{"a":"b\\u2028c"}\\nlast\')', lines);
  await it.ended;
  expect(lines).toEqual(['{"a":"b\u2028c"}', "last"]);
});

test("one that ends before it is ready says so, instead of being waited for", async () => {
  const it = start("process.exit(7)");
  await expect(it.ready).rejects.toMatchObject({
    name: "EndedEarly",
    message: expect.stringContaining("with status 7"),
  });
});

test("what ignores SIGTERM is killed after the grace", async () => {
  const it = start(IGNORES);
  await it.ready;
  expect(await it.stop(100)).toMatchObject({ signal: "SIGKILL", how: "by SIGKILL", killed: true });
});

test("a second stop is no second signal, which a worker would take for the order to exit at once", async () => {
  const it = start(
    `let n = 0; process.on('SIGTERM', () => { if (++n > 1) process.exit(1); setTimeout(() => process.exit(0), 300); }); setInterval(() => {}, 1e6); ${READY}`,
  );
  await it.ready;
  const ends = await Promise.all([it.stop(), it.stop()]);
  expect(ends).toMatchObject([{ code: 0 }, { code: 0 }]);
});

test("a program that is not there has an end, too", async () => {
  const it = startWorkerProcess({ file: "/does/not/exist", args: ["x"], output: "ignore" });
  expect(it.pid).toBeUndefined();
  expect((await it.ended).how).toMatch(/^before it started: .*ENOENT/);
  await expect(it.ready).rejects.toMatchObject({ name: "EndedEarly" });
});

test("a log file gets what it writes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "worker-process-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "log");
  await startWorkerProcess({ args: ["-e", "console.log(1)"], output: { file } }).ended;
  await startWorkerProcess({ args: ["-e", "console.error(2)"], output: { file } }).ended;
  expect(readFileSync(file, "utf8")).toBe("1\n2\n");
});

test("a kept one is started again as long as it is wanted, and not after its stop", async () => {
  const [crashes, ready] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const waits: number[] = [];
  const kept = keepRunning({
    // The third one stays.
    start: () => start(waits.length === 2 ? OBEYS : "process.exit(3)"),
    restartInMs: ({ livedMs }) => {
      waits.push(livedMs);
      return 1;
    },
    onStart: (it) =>
      void it.ready.then(
        () => ready.resolve(),
        () => {},
      ),
    onCrash: (end, restartInMs) => {
      expect([end.code, restartInMs]).toEqual([3, 1]);
      if (waits.length === 2) crashes.resolve();
    },
  });
  await crashes.promise;
  await ready.promise;
  expect(kept.starts).toBe(3);
  expect(await kept.stop()).toMatchObject({ code: 0 });
  expect(kept.current).toBeUndefined();
  expect(waits).toHaveLength(2);
});

test("a stop between two starts leaves nothing that starts later", async () => {
  const crashed = Promise.withResolvers<void>();
  const kept = keepRunning({
    start: () => start("process.exit(3)"),
    restartInMs: () => 20,
    onCrash: () => crashed.resolve(),
  });
  await crashed.promise;
  expect(await kept.stop()).toBeUndefined();
  const later = Promise.withResolvers<void>();
  setTimeout(later.resolve, 40);
  await later.promise;
  expect(kept.starts).toBe(1);
});
