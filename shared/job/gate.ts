/** Lets jobs run side by side, and a suspect run alone: a fair lock with shared and exclusive holders. */

export class Gate {
  #running = 0;
  #exclusive = false;
  #queue: { exclusive: boolean; enter(): void }[] = [];

  /** True when a shared holder may enter at once; it must then call {@link leave}. */
  tryEnter(): boolean {
    if (this.#exclusive || this.#queue.length > 0) return false;
    this.#running++;
    return true;
  }

  enter(): Promise<void> {
    if (this.tryEnter()) return Promise.resolve();
    return new Promise((resolve) => this.#queue.push({ exclusive: false, enter: resolve }));
  }

  /** Waits until nobody else is inside, and keeps everybody else out until {@link leaveAlone}. */
  enterAlone(): Promise<void> {
    return new Promise((resolve) => {
      this.#queue.push({ exclusive: true, enter: resolve });
      this.#admit();
    });
  }

  leave(): void {
    this.#running--;
    this.#admit();
  }

  leaveAlone(): void {
    this.#exclusive = false;
    this.#admit();
  }

  #admit(): void {
    while (!this.#exclusive) {
      const next = this.#queue[0];
      if (next === undefined || (next.exclusive && this.#running > 0)) return;
      this.#queue.shift();
      if (next.exclusive) this.#exclusive = true;
      else this.#running++;
      next.enter();
    }
  }
}
