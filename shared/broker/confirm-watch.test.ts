/** When a message that stays unconfirmed is noticed. */
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { watchConfirms } from "./confirm-watch.ts";

const TIMEOUT_MS = 400;
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Messages in the order of their sending: when, and how long until their confirm. */
const messages = fc.array(
  fc.record({
    sentAtMs: fc.integer({ min: 0, max: 2_000 }),
    tookMs: fc.integer({ min: 1, max: 900 }),
  }),
  { maxLength: 30 },
);

test("a message is overdue from the timeout on, and at the latest a quarter later", () => {
  fc.assert(
    fc.property(messages, (all) => {
      vi.clearAllTimers();
      let overdue = 0;
      const watch = watchConfirms(TIMEOUT_MS, () => overdue++);
      for (const { sentAtMs, tookMs } of all)
        setTimeout(() => {
          const sentIn = watch.sent();
          setTimeout(() => watch.settled(sentIn), tookMs);
        }, sentAtMs);
      vi.advanceTimersByTime(4_000);
      watch.stop();
      const longest = Math.max(0, ...all.map(({ tookMs }) => tookMs));
      if (longest < TIMEOUT_MS) expect(overdue).toBe(0);
      if (longest > TIMEOUT_MS * 1.25) expect(overdue).toBeGreaterThan(0);
    }),
  );
});

test("while the broker blocks, nothing becomes overdue, and waiting starts again afterwards", () => {
  let overdue = 0;
  const watch = watchConfirms(TIMEOUT_MS, () => overdue++);
  watch.sent();
  watch.pause();
  vi.advanceTimersByTime(10_000);
  expect(overdue).toBe(0);
  watch.resume();
  vi.advanceTimersByTime(TIMEOUT_MS - 1);
  expect(overdue).toBe(0);
  vi.advanceTimersByTime(TIMEOUT_MS);
  expect(overdue).toBe(1);
  watch.stop();
});
