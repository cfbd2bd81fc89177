/** Bounds what the `flow` jobs of this worker hold together; first come, first served, so that a large one gets its turn. */
import { RetryLater } from "@tl-engine/shared";

/** Waiting is no attempt: long before the time of a job is over it comes again. */
const WAIT_MS = 10_000;
const AGAIN_MS = 5_000;

interface Waiter {
  size: number;
  enter(): void;
}

export class Room {
  readonly #capacity: number;
  readonly #waitMs: number;
  #free: number;
  readonly #waiting: Waiter[] = [];

  constructor(capacity: number, waitMs = WAIT_MS) {
    this.#capacity = capacity;
    this.#waitMs = waitMs;
    this.#free = capacity;
  }

  /**
   * Resolves with the function that gives the room back; what is larger than all of it has it alone.
   * @throws {RetryLater} after 10 s, and the signal's reason once it is aborted.
   */
  async enter(wanted: number, signal: AbortSignal): Promise<() => void> {
    const size = Math.min(wanted, this.#capacity);
    if (this.#waiting.length > 0 || this.#free < size) await this.#wait(size, signal);
    else this.#free -= size;
    return () => {
      this.#free += size;
      this.#admit();
    };
  }

  async #wait(size: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { size, enter: resolve };
    this.#waiting.push(waiter);
    const giveUp = (reason: unknown) => {
      const place = this.#waiting.indexOf(waiter);
      if (place < 0) return;
      this.#waiting.splice(place, 1);
      reject(reason);
      this.#admit();
    };
    const onAbort = () => giveUp(signal.reason);
    const timer = setTimeout(
      () => giveUp(new RetryLater(AGAIN_MS, "other flows fill the worker's memory")),
      this.#waitMs,
    );
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next && next.size <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.size;
      next.enter();
    }
  }
}
