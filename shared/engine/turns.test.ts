import { expect, test } from "vitest";
import { inTurns, type Steps } from "./turns.ts";

/** Works for so many milliseconds, in steps of one. */
function* work(ms: number, onStep: () => void): Steps<string> {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs) {
    const stepEndMs = performance.now() + 1;
    while (performance.now() < stepEndMs);
    onStep();
    yield;
  }
  return "done";
}

test("many at once get one turn each round, so that others come in between", async () => {
  let longestMs = 0;
  let lastMs = performance.now();
  const ticker = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastMs);
    lastMs = performance.now();
  }, 1);
  const { signal } = new AbortController();
  const results = await Promise.all(
    Array.from({ length: 30 }, () =>
      inTurns(
        work(50, () => {}),
        signal,
      ),
    ),
  );
  clearInterval(ticker);
  expect(results).toEqual(Array(30).fill("done"));
  // All in one round would be 30 × 20 ms.
  expect(longestMs).toBeLessThan(300);
});

test("an aborted signal ends it with its reason", async () => {
  const stop = new AbortController();
  let steps = 0;
  const running = inTurns(
    work(60_000, () => {
      if (++steps === 5) stop.abort(new Error("cancelled"));
    }),
    stop.signal,
  );
  await expect(running).rejects.toThrow("cancelled");
});
