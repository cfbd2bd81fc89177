import { getEventListeners } from "node:events";
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
