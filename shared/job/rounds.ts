/** Shares the event loop's rounds among jobs that compute: many of them in a row would keep acks, heartbeats and probes waiting. */
import { setImmediate as nextRound } from "node:timers/promises";

const ROUND_MS = 50;

export class Rounds {
  #isCounting = false;
  #endsMs = 0;
  #last: Promise<void> = Promise.resolve();

  /** Whether this round of the event loop has lasted so long that another job should wait for {@link next}. */
  isOver(): boolean {
    const nowMs = performance.now();
    if (!this.#isCounting) {
      this.#isCounting = true;
      this.#endsMs = nowMs + ROUND_MS;
      setImmediate(() => {
        this.#isCounting = false;
      });
    }
    return nowMs > this.#endsMs;
  }

  /** A round for each who waits: Node runs all immediates that there are in one. */
  next(): Promise<void> {
    this.#last = this.#last.then(() => nextRound());
    return this.#last;
  }
}
