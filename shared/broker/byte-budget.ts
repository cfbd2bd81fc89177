/** Bounds the bytes of the bodies that a worker holds, as the prefetch bounds their number. */

export interface ByteBudgetOptions {
  /** Of all bodies in hand; one that is larger by itself has the worker for itself. */
  maxBytes: number;
  /** Called when a delivery was turned away: nothing more should come until there is room. */
  onFull(): void;
  /** There is room again. */
  onRoom(): void;
  /** The bodies have become so much smaller that twice as many could be held. */
  onSmaller(): void;
}

/** Bodies from here on are looked into. */
const LARGE_BYTES = 65_536;
/** Of a body for each of its objects and arrays, at least: an empty one of three characters takes 56 bytes once parsed. */
const BYTES_PER_CONTAINER = 16;
const OPEN_BRACE = 123;
const OPEN_BRACKET = 91;

/** What a body counts for: its length, or more where much will come of it. */
export function weightOf(body: Buffer): number {
  if (body.length < LARGE_BYTES) return body.length;
  let containers = 0;
  for (let i = 0; i < body.length; i++)
    if (body[i] === OPEN_BRACE || body[i] === OPEN_BRACKET) containers++;
  return Math.max(body.length, containers * BYTES_PER_CONTAINER);
}

/** How many of the latest bodies the mean stands for. */
const REMEMBERED = 16;
/** Of the budget: below this it is worth while to consume again. */
const ROOM = 1 / 2;

export class ByteBudget {
  readonly #options: ByteBudgetOptions;
  #held = 0;
  #meanBytes = 0;
  #isFull = false;
  /** The most that a queue was limited to; undefined while each may send all that the worker can hold. */
  #limit: number | undefined;

  constructor(options: ByteBudgetOptions) {
    this.#options = options;
  }

  get heldBytes(): number {
    return this.#held;
  }

  /** Whether nothing is consumed for want of room. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Whether the body may be held; what may not goes back to its queue, uncounted. */
  take(bytes: number): boolean {
    this.#meanBytes += (bytes - this.#meanBytes) / (this.#meanBytes === 0 ? 1 : REMEMBERED);
    if (this.#held > 0 && this.#held + bytes > this.#options.maxBytes) {
      if (!this.#isFull) {
        this.#isFull = true;
        this.#options.onFull();
      }
      return false;
    }
    this.#held += bytes;
    if (this.#limit !== undefined && !this.#isFull && this.#fitting() >= 2 * this.#limit) {
      this.#limit = undefined;
      this.#options.onSmaller();
    }
    return true;
  }

  release(bytes: number): void {
    this.#held -= bytes;
    if (!this.#isFull || this.#held > this.#options.maxBytes * ROOM) return;
    this.#isFull = false;
    this.#options.onRoom();
  }

  /**
   * How many deliveries to ask the broker for. Where as many bodies of the usual size would not fit, fewer: each that
   * does not fit was sent for nothing.
   */
  prefetch(most: number): number {
    const fitting = Math.max(1, this.#fitting());
    if (fitting >= most) return most;
    this.#limit = Math.max(this.#limit ?? 0, fitting);
    return fitting;
  }

  #fitting(): number {
    return Math.floor(this.#options.maxBytes / Math.max(1, this.#meanBytes));
  }
}
