/** A fair queue for something of which there are only so many, such as connections. */

/**
 * Whoever takes a slot gives it back. Those that wait get theirs in the order in which they asked.
 */
export class Slots {
  readonly #limit: () => number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  /** @param limit how many there are; asked again at each take and give, so that it may depend on others. */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Resolves once there is one; undefined, with the slot taken, where nobody has to wait. */
  take(): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#taken < this.#limit()) {
      this.#taken++;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets nobody in by itself: {@link admit} does, once whoever has precedence was let in. */
  give(): void {
    this.#taken--;
  }

  /** Lets in whom the limit allows; to be called when it may have risen. */
  admit(): void {
    while (this.#waiting.length > 0 && this.#taken < this.#limit()) {
      this.#taken++;
      this.#waiting.shift()?.();
    }
  }
}
