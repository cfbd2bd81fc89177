/** A link that is lost: who waits for it, how long, and what the log says. */
import { getEventListeners } from "node:events";
import pino from "pino";
import { expect, test } from "vitest";
import { createLog } from "../process/log.ts";
import { supervise } from "./supervise.ts";

const log = createLog({ engine: "test", env: "dev", worker: "test" }, "silent");

test("who waited for a lost link gets the next, and leaves nothing on the signal", async () => {
  let opened = 0;
  const supervised = await supervise(
    "test",
    async () => ({ link: ++opened, close: async () => {} }),
    log,
  );
  const ending = new AbortController();
  supervised.drop(1, new Error("lost"));
  const waiting = Array.from({ length: 5 }, () => supervised.get(ending.signal));
  expect(getEventListeners(ending.signal, "abort")).toHaveLength(5);
  expect(await Promise.all(waiting)).toEqual([2, 2, 2, 2, 2]);
  expect(getEventListeners(ending.signal, "abort")).toHaveLength(0);
  await supervised.close();
});

test("a signal ends the wait", async () => {
  const supervised = await supervise(
    "test",
    async () => ({ link: {}, close: async () => {} }),
    log,
  );
  supervised.drop(supervised.current() as object, new Error("lost"));
  const ending = new AbortController();
  const waiting = supervised.get(ending.signal);
  ending.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  await supervised.close();
});

test("opening that succeeds where use fails is tried ever more slowly, and told once", async () => {
  const lines: string[] = [];
  const told = pino({ level: "info" }, { write: (line) => lines.push(JSON.parse(line).msg) });
  const openedAtMs: number[] = [];
  const supervised = await supervise(
    "test",
    async (lost, proved) => {
      openedAtMs.push(performance.now());
      if (openedAtMs.length < 6) setImmediate(() => lost(new Error("no use")));
      else setImmediate(proved);
      return { link: {}, close: async () => {} };
    },
    told,
  );
  await expect.poll(() => lines, { timeout: 10_000 }).toContain("link is back");
  const waits = openedAtMs.slice(1).map((atMs, i) => atMs - (openedAtMs[i] as number));
  // 100, 200, 400, 800, 1600 ms, of which the half is random.
  expect(waits.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(1_550);
  expect(waits[4]).toBeGreaterThan(800);
  expect(lines).toEqual(["link lost, opening it again", "link is back"]);
  await supervised.close();
});
