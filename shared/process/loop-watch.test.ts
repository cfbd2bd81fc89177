/** The watch of the event loop, on the event loop itself. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { watchLoop } from "./loop-watch.ts";

test("a block is told once, with its length, and a busy loop that yields is none", async () => {
  const onBlocked = vi.fn();
  const end = watchLoop({ onBlocked, thresholdMs: 400 });
  try {
    const until = performance.now() + 600;
    while (performance.now() < until) await sleep(1);
    expect(onBlocked).not.toHaveBeenCalled();
    const blockedUntil = performance.now() + 900;
    while (performance.now() < blockedUntil);
    await vi.waitFor(() => expect(onBlocked).toHaveBeenCalledTimes(1));
    expect(onBlocked.mock.calls[0]?.[0]).toBeGreaterThanOrEqual(400);
  } finally {
    end();
  }
});
