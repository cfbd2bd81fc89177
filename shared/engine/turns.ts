/** Runs long calculations in short turns, so that no job keeps the worker's others, its heartbeats and its acks waiting. */
import { setImmediate } from "node:timers/promises";

/** A calculation that may be left for a while wherever it yields. */
export type Steps<Result> = Generator<void, Result, void>;

/** {@link inTurns} or {@link atOnce}. */
export type Run = <Result>(steps: Steps<Result>) => Result | Promise<Result>;

const TURN_MS = 20;

/** What little is done between two yields of a loop: loops over changes or items yield once in so many. */
export const STEP_SIZE = 2_048;

/** Resolves when the last turn that was asked for begins. */
let lastTurn: Promise<void> = Promise.resolve();

/** One turn per round of the event loop: Node runs all immediates that wait in one go, and 64 jobs would add up. */
function nextTurn(): Promise<void> {
  lastTurn = lastTurn.then(() => setImmediate());
  return lastTurn;
}

/** Runs to the end, giving way to others after each turn. Throws the signal's reason once it is aborted. */
export async function inTurns<Result>(steps: Steps<Result>, signal: AbortSignal): Promise<Result> {
  for (;;) {
    await nextTurn();
    signal.throwIfAborted();
    const endMs = performance.now() + TURN_MS;
    while (performance.now() < endMs) {
      const { done, value } = steps.next();
      if (done) return value;
    }
  }
}

/** Runs to the end at once: for who keeps nobody waiting. */
export function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
