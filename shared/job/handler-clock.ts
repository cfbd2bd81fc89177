/** Measures a handler's time: it stands still while the job waits for a resource of ours. */

/** Node's timers hold 31 bits; nobody awaits a handler for longer. */
export const MAX_TIMER_MS = 2_147_483_647;

export class HandlerClock {
  readonly #onEnd: () => void;
  #leftMs: number;
  #startedAtMs = 0;
  #waits = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** Runs at once; `onEnd` is called when `timeoutMs` have passed outside of {@link pause}. */
  constructor(timeoutMs: number, onEnd: () => void) {
    this.#leftMs = timeoutMs;
    this.#onEnd = onEnd;
    this.#run();
  }

  /** Calls nest: the clock runs again once each had its {@link resume}. */
  pause(): void {
    if (this.#waits++ > 0 || this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#leftMs -= performance.now() - this.#startedAtMs;
  }

  resume(): void {
    if (--this.#waits === 0 && !this.#isStopped) this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #run(): void {
    this.#startedAtMs = performance.now();
    this.#timer = setTimeout(this.#onEnd, Math.min(Math.max(0, this.#leftMs), MAX_TIMER_MS));
  }
}
